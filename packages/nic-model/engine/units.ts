// The hardware units: accel1 on device memory. The engine's host links them to this memory; every range is
// checked here, a unit never sees an address outside the window.
import { COUNTERS, REGISTERS, WINDOW, limit } from "./layout";

// @ts-ignore: decorator
@external("accel1", "csum_partial")
declare function csum_partial(ptr: u32, len: u32, sum: u32): u32;
// @ts-ignore: decorator
@external("accel1", "copy")
declare function copy(dst: u32, src: u32, len: u32): void;
// @ts-ignore: decorator
@external("accel1", "copy_csum")
declare function copy_csum(dst: u32, src: u32, len: u32, sum: u32): u32;
// @ts-ignore: decorator
@external("accel1", "crc32c")
declare function crc32c(ptr: u32, len: u32, crc: u32): u32;
// @ts-ignore: decorator
@external("accel1", "toeplitz")
declare function toeplitz(key: u32, ptr: u32, len: u32): u32;
// @ts-ignore: decorator
@external("accel1", "siphash")
declare function siphash(key: u32, ptr: u32, len: u32, out: u32): void;

// @ts-ignore: decorator
@inline
function inside(ptr: u32, len: u32): bool {
  return <u64>ptr + <u64>len <= limit();
}

// @ts-ignore: decorator
@inline
function argument(i: usize): u32 {
  return load<u32>(REGISTERS + i * 8);
}

/** Run unit `n` with r1.. as arguments, result in r0. @returns false: a range leaves the memory */
export function runUnit(n: u32): bool {
  const a = argument(1);
  const b = argument(2);
  const c = argument(3);
  const d = argument(4);
  const base = <u32>WINDOW;
  let result: u32 = 0;
  let bytes: u32 = c;
  switch (n) {
    case 1:
      if (!inside(a, b)) return false;
      result = csum_partial(base + a, b, c);
      bytes = b;
      break;
    case 2:
      if (!inside(a, c) || !inside(b, c)) return false;
      copy(base + a, base + b, c);
      break;
    case 3:
      if (!inside(a, c) || !inside(b, c)) return false;
      result = copy_csum(base + a, base + b, c, d);
      break;
    case 4:
      if (!inside(a, b)) return false;
      result = crc32c(base + a, b, c);
      bytes = b;
      break;
    case 5:
      if (!inside(b, c) || <u64>a + <u64>c + 4 > limit()) return false;
      result = toeplitz(base + a, base + b, c);
      break;
    default:
      if (!inside(a, 16) || !inside(b, c) || !inside(d, 8)) return false;
      siphash(base + a, base + b, c, base + d);
  }
  store<u64>(REGISTERS, <u64>result);
  store<u64>(COUNTERS, load<u64>(COUNTERS, 16) + 1, 16);
  store<u64>(COUNTERS, load<u64>(COUNTERS, 24) + <u64>bytes, 24);
  return true;
}
