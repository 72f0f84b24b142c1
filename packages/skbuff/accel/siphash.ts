// accel1.siphash: SipHash-2-4, 64 bits out.

/** @param key - 16 bytes. @param out - 8 bytes, little endian; may overlap the input, which is read first */
export function siphash(key: usize, ptr: usize, len: u32, out: usize): void {
  const k0 = load<u64>(key);
  const k1 = load<u64>(key, 8);
  let v0 = k0 ^ 0x736f_6d65_7073_6575;
  let v1 = k1 ^ 0x646f_7261_6e64_6f6d;
  let v2 = k0 ^ 0x6c79_6765_6e65_7261;
  let v3 = k1 ^ 0x7465_6462_7974_6573;
  const words = len >> 3;
  // after the whole words one that holds the rest and the length, then four rounds of finalisation
  for (let i: u32 = 0; i <= words + 1; i++) {
    let m: u64 = 0;
    let rounds = 2;
    if (i < words) m = load<u64>(ptr + i * 8);
    else if (i === words) m = tail(ptr + words * 8, len & 7) | ((<u64>len) << 56);
    else {
      v2 ^= 0xff;
      rounds = 4;
    }
    v3 ^= m;
    for (let r = 0; r < rounds; r++) {
      v0 += v1;
      v1 = rotl<u64>(v1, 13) ^ v0;
      v0 = rotl<u64>(v0, 32);
      v2 += v3;
      v3 = rotl<u64>(v3, 16) ^ v2;
      v0 += v3;
      v3 = rotl<u64>(v3, 21) ^ v0;
      v2 += v1;
      v1 = rotl<u64>(v1, 17) ^ v2;
      v2 = rotl<u64>(v2, 32);
    }
    v0 ^= m;
  }
  store<u64>(out, v0 ^ v1 ^ v2 ^ v3);
}

function tail(ptr: usize, n: u32): u64 {
  let m: u64 = 0;
  for (let i: u32 = 0; i < n; i++) m |= (<u64>load<u8>(ptr + i)) << (<u64>i * 8);
  return m;
}
