// Ones'-complement arithmetic on sums that csum_partial made: canonical, 0..0xffff.

/** Add a piece that begins at an odd position: its bytes change places within their words. */
// @ts-ignore: decorator
@inline
export function rotate16(sum: u32): u32 {
  return (<u32>bswap<u16>(<u16>sum));
}

/** End-around addition of two canonical sums. */
// @ts-ignore: decorator
@inline
export function add16(a: u32, b: u32): u32 {
  const sum = a + b;
  return (sum & 0xffff) + (sum >> 16);
}
