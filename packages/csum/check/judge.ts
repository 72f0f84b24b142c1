// One checksum: recomputed, compared, noted.
import { csum_partial, crc32c } from "./accel";
import { fold64 } from "../../skbuff/accel/fold";
import { sumWords } from "../../skbuff/accel/csum-partial";
import { BAD, KIND_SCTP, KIND_UDP, KIND_UDPLITE, OK, PARTIAL, TRUNCATED } from "./codes";
import { add16, be32, note, noteUnverifiable, W } from "./state";

/** No partial form: nobody leaves this checksum to a device. */
export const NO_SEED: u32 = 0x10000;

/** Sum of a short range, without leaving the module. */
// @ts-ignore: decorator
@inline
export function shortSum(at: usize, len: u32, sum: u32): u32 {
  return fold64(sumWords(at, len, <u64>sum));
}

// @ts-ignore: decorator
@inline
function sumRange(at: usize, len: u32, sum: u32): u32 {
  return len <= 64 ? shortSum(at, len, sum) : csum_partial(at, len, sum);
}

/**
 * What the field should hold, given the sum of the range with the field in it.
 * UDP and UDP-Lite send a computed 0 as 0xffff.
 */
// @ts-ignore: decorator
@inline
export function shouldBe(kind: u32, sum: u32, found: u32): u32 {
  const check = ~add16(sum, ~found & 0xffff) & 0xffff;
  return check == 0 && (kind == KIND_UDP || kind == KIND_UDPLITE) ? 0xffff : check;
}

/**
 * Judge a 16-bit checksum of the header at the cursor.
 * @param field - bytes from the header to the field
 * @param to - end of what it covers; it begins with the header
 * @param pseudo - canonical sum of the pseudo header, 0 for none
 * @param seed - what the field holds when a device was to fill it, besides `other`; NO_SEED for no such form
 */
export function judge(kind: u32, field: u32, to: usize, pseudo: u32, seed: u32, other: u32): void {
  const header = W.cur;
  W.pseudo = pseudo;
  if (to > W.cap) {
    noteUnverifiable(kind, TRUNCATED, field);
    return;
  }
  const at = header + field;
  const found: u32 = load<u16>(at);
  const sum = sumRange(header, <u32>(to - header), pseudo);
  const shown = bswap<u16>(<u16>found);
  if (sum == 0xffff) {
    note(kind, OK, 0, header, at, header, to, shown, shown);
    return;
  }
  const expected = bswap<u16>(<u16>shouldBe(kind, sum, found));
  const partial = found == seed || found == other;
  note(kind, partial ? PARTIAL : BAD, 0, header, at, header, to, shown, expected);
}

/** CRC-32C of an SCTP packet as it goes into the field, the field itself taken as 0. */
export function sctpCrc(header: usize, len: u32): u32 {
  let crc = crc32c(header, 8, 0xffff_ffff);
  // four zero bytes
  crc = crc32c(W.area, 4, crc);
  return ~crc32c(header + 12, len - 12, crc);
}

/** Judge the CRC-32C of the SCTP packet at the cursor. A field of 0 is what the kernel leaves to a device. */
export function judgeSctp(): void {
  W.pseudo = 0;
  if (W.end > W.cap) {
    noteUnverifiable(KIND_SCTP, TRUNCATED, 8);
    return;
  }
  const found = load<u32>(W.cur, 8);
  const expected = sctpCrc(W.cur, <u32>(W.end - W.cur));
  const verdict = found == expected ? OK : found == 0 ? PARTIAL : BAD;
  note(KIND_SCTP, verdict, 0, W.cur, W.cur + 8, W.cur, W.end, be32(W.cur + 8), bswap<u32>(expected));
}
