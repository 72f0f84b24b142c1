// Folding shared by the units: end-around carry, canonical 16-bit values.

/**
 * Fold a 64-bit sum of 16-bit words into 0..0xffff with end-around carry. 0 stays 0; any other multiple of
 * 0xffff becomes 0xffff (end-around addition never turns a non-zero operand into 0).
 */
// @ts-expect-error: decorator
@inline
export function fold64(sum: u64): u32 {
  sum = (sum & 0xffff_ffff) + (sum >> 32);
  sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  return <u32>((sum & 0xffff) + (sum >> 16));
}
