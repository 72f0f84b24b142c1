// accel1.toeplitz: the RSS hash, bit by bit of the input from the most significant on.

/** @param key - len + 4 bytes are read. @returns the 32-bit hash */
export function toeplitz(key: usize, ptr: usize, len: u32): u32 {
  let result: u32 = 0;
  let window = (<u64>bswap<u32>(load<u32>(key))) << 8;
  for (let i: u32 = 0; i < len; i++) {
    window |= <u64>load<u8>(key + i, 4);
    const byte = <u32>load<u8>(ptr + i);
    for (let bit: u32 = 0; bit < 8; bit++) {
      // all ones when the bit is set, so that no branch depends on the packet
      const set = 0 - ((byte >> (7 - bit)) & 1);
      result ^= <u32>(window >> (8 - bit)) & set;
    }
    window <<= 8;
  }
  return result;
}
