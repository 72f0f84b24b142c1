/**
 * The control block of a loaded program: behind the memory's last byte, where no program may reach. Offsets are
 * bytes from the memory's limit.
 */

/** Most packets of one batch. */
export const EBPF_MAX_BATCH = 4096;

/** Where things lie. */
export const CONTROL = {
  /** Packets of the batch, u32. */
  COUNT: 0,
  /** Packets done, u32; a run goes on from here. */
  DONE: 4,
  /** Code of a trap on its way through a function with a 64-bit result; 0: none. u32. */
  PENDING: 8,
  /** {ret i32, trap code u32} a packet. */
  RESULTS: 64,
  /** The entry's arguments, u32 each, packet behind packet. */
  ARGS: 0x8040,
  /** Frames of functions whose spills leave no room in the kernel's 512 bytes. */
  FRAMES: 0x1_c040,
  /** Bytes of everything. */
  SIZE: 0x4_0000,
} as const;
