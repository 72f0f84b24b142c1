// Where things lie in the engine's own linear memory. The acceleration units keep their tables in
// 0x1_0000..0x1_ffff of any memory they work on, so nothing of the engine is there.

/** Registers r0 to r10, 8 bytes each. */
export const REGISTERS: usize = 0x100;
/** Memory limit u32, window base u32, budget u32, fault instruction u32, trap u32. */
export const CONFIG: usize = 0x180;
/** Counters, u64 each: packets, instructions, unit calls, unit bytes, then traps by code 0..5. */
export const COUNTERS: usize = 0x200;
/** Call frames: return address u32, pad, r6 to r9. */
export const FRAMES: usize = 0x400;
export const FRAME_BYTES: usize = 64;
export const MAX_FRAMES: u32 = 8;
/** Stacks, 512 bytes a frame. */
export const STACKS: usize = 0x800;
export const STACK_BYTES: usize = 512;
/** Programs: two slots of 16 functions of {first u32, instructions u32}. */
export const PROGRAMS: usize = 0x1800;
/** Decoded code: 16 bytes for each 8-byte slot; two bundles. */
export const CODE: usize = 0x2_0000;
/** 8-byte slots of a bundle, all its programs. */
export const MAX_SLOTS: u32 = 32768;
export const BUNDLE_BYTES: usize = 16 * 32768;
/** Code as it arrives, before it is decoded. */
export const TEXT: usize = 0x12_0000;
/** Packets of one batch. */
export const MAX_BATCH: u32 = 4096;
/** Addresses and results of a batch: 4 and 12 bytes a packet, so 64 KiB. */
export const BATCH: usize = 0x16_0000;
/** First byte of the device memory that programs see. */
export const WINDOW: usize = 0x17_0000;

// @ts-ignore: decorator
@inline
export function limit(): u64 {
  return <u64>load<u32>(CONFIG);
}
