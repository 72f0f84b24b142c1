/** ABI 1: the memory map every target shares, bytes. */

/** Version of layouts and memory map; any change of either is another ABI. */
export const ABI = 1;
/** First byte of static region 0; nothing lies below. */
export const STATIC_BASE = 0x1_0000;
/** Bytes of each static region. */
export const STATIC_REGION_SIZE = 0x1_0000;
/** First byte of the heap. */
export const HEAP_BASE = 0x10_0000;
/** Where a region's data segments begin; its first word is the trap cell. */
export const STATIC_DATA_OFF = 16;

/** Static regions by function; 8 to 14 are free for others. */
export const FUNCTION_NUMBER = {
  accel1: 0,
  tx_csum: 1,
  rx_csum: 2,
  toeplitz: 3,
  siphash: 4,
  flow_dissector: 5,
  gso: 6,
  gro: 7,
} as const;

/** Address of function k's static region. */
export function staticRegion(k: number): number {
  return STATIC_BASE + STATIC_REGION_SIZE * k;
}

/** What a trap cell holds; 0 means none. */
export const TRAP = {
  NONE: 0,
  DIV_ZERO: 1,
  OVERFLOW: 2,
  OUT_OF_BOUNDS: 3,
  UNREACHABLE: 4,
  BUDGET: 5,
} as const;

/** Names of the trap codes. */
export type TrapName = keyof typeof TRAP;
