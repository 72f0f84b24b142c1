// The acceleration units the walker imports: those of the memory it runs in.

// @ts-ignore: decorator
@external("accel1", "csum_partial")
export declare function csum_partial(ptr: usize, len: u32, sum: u32): u32;

// @ts-ignore: decorator
@external("accel1", "crc32c")
export declare function crc32c(ptr: usize, len: u32, crc: u32): u32;
