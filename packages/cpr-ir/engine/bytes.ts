// Bytes of packets read, bytes of metadata written.

/** `len` bytes, at most four, as a number. */
export function number(from: usize, len: i32, little: i32): i32 {
  let value = 0;
  for (let i = 0; i < len; i++) value = (value << 8) | load<u8>(little ? from + len - 1 - i : from + i);
  return value;
}

/** As they are. */
export function copy(to: usize, from: usize, len: i32): void {
  while (len >= 8) {
    store<u64>(to, load<u64>(from));
    to += 8;
    from += 8;
    len -= 8;
  }
  if (len & 4) {
    store<u32>(to, load<u32>(from));
    to += 4;
    from += 4;
  }
  if (len & 2) {
    store<u16>(to, load<u16>(from));
    to += 2;
    from += 2;
  }
  if (len & 1) store<u8>(to, load<u8>(from));
}

/** The last byte first. */
export function reverse(to: usize, from: usize, len: i32): void {
  for (let i = 0; i < len; i++) store<u8>(to + len - 1 - i, load<u8>(from + i));
}

/** Some bits of one to four bytes. */
export function storeBits(to: usize, len: i32, little: i32, mask: i32, bits: i32): void {
  const merged = (number(to, len, little) & ~mask) | (bits & mask);
  for (let i = 0; i < len; i++) store<u8>(little ? to + i : to + len - 1 - i, merged >>> (8 * i));
}

/** Nibbles from nibble `next` of the packet on: an odd first one is right-aligned, a lone last one left-aligned. */
export function nibbles(to: usize, len: i32, little: i32, packet: usize, next: i32, left: i32): void {
  for (let i = 0; i < len; i++) {
    const byte = load<u8>(packet + (next >> 1));
    let put: i32 = 0;
    if (next & 1) {
      put = byte & 0x0f;
      next++;
      left--;
    } else {
      put = byte & (left == 1 ? 0xf0 : 0xff);
      next += 2;
      left -= 2;
    }
    store<u8>(little ? to + len - 1 - i : to + i, put);
  }
}
