// Acceleration instructions: imports of the program, the same on every target.

// @ts-ignore: decorator
@external("accel1", "csum_partial")
export declare function csum_partial(ptr: u32, len: u32, sum: u32): u32;

// @ts-ignore: decorator
@external("accel1", "crc32c")
export declare function crc32c(ptr: u32, len: u32, crc: u32): u32;
