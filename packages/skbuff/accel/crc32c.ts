// accel1.crc32c: CRC-32C (Castagnoli, reflected, 0x82f63b78), eight bytes a step by eight tables.
import { STATIC_BASE } from "../program/memory-map";

const POLYNOMIAL: u32 = 0x82f6_3b78;
/** Eight tables of 256 words in static region 0, from here. */
const TABLES: u32 = STATIC_BASE + 0x1000;
const READY: u32 = TABLES - 4;
const READY_MARK: u32 = 0x4332_4352;

/** Fill the tables; done once for a memory, repeating it does no harm. */
export function init(): void {
  if (load<u32>(READY) === READY_MARK) return;
  for (let i: u32 = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
    store<u32>(TABLES + i * 4, crc);
  }
  for (let i: u32 = 0; i < 256; i++) {
    let crc = load<u32>(TABLES + i * 4);
    for (let t: u32 = 1; t < 8; t++) {
      crc = (crc >> 8) ^ load<u32>(TABLES + (crc & 255) * 4);
      store<u32>(TABLES + t * 1024 + i * 4, crc);
    }
  }
  store<u32>(READY, READY_MARK);
}

// @ts-expect-error: decorator
@inline
function entry(table: u32, byte: u32): u32 {
  return load<u32>(TABLES + table * 1024 + (byte & 255) * 4);
}

/** Continue `crc` over the bytes; no inversion before or after. */
export function crc32c(ptr: usize, len: u32, crc: u32): u32 {
  while (len >= 8) {
    const low = load<u32>(ptr) ^ crc;
    const high = load<u32>(ptr, 4);
    crc =
      entry(7, low) ^ entry(6, low >> 8) ^ entry(5, low >> 16) ^ entry(4, low >> 24) ^
      entry(3, high) ^ entry(2, high >> 8) ^ entry(1, high >> 16) ^ entry(0, high >> 24);
    ptr += 8;
    len -= 8;
  }
  while (len) {
    crc = (crc >> 8) ^ entry(0, crc ^ <u32>load<u8>(ptr));
    ptr++;
    len--;
  }
  return crc;
}
