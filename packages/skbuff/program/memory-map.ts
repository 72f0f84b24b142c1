// ABI 1 memory map (bytes; the same numbers on every target).

/** First byte of static region 0; nothing lies below. */
export const STATIC_BASE: u32 = 0x0001_0000;
/** Bytes of each static region. */
export const STATIC_REGION_SIZE: u32 = 0x0001_0000;
/** First byte of the heap: the allocator's own state, then blocks. */
export const HEAP_BASE: u32 = 0x0010_0000;
