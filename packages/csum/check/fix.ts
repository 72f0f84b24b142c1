// Writing checksums: inner ones first, since outer ones may cover them.
import { csum_partial } from "./accel";
import { ABSENT, BAD, IN_QUOTE, KIND_SCTP, OK, REASSEMBLED, UNVERIFIABLE } from "./codes";
import { sctpCrc, shouldBe } from "./judge";
import { RECORD, W } from "./state";

/** Fill one record's field. @param broken - a field under it was written @returns true when it was written */
function fixOne(record: usize, all: bool, broken: bool): bool {
  const kind: u32 = load<u8>(record);
  const verdict: u32 = load<u8>(record, 1);
  if (verdict == ABSENT || verdict == UNVERIFIABLE || load<u8>(record, 3) & (IN_QUOTE | REASSEMBLED)) return false;
  if (verdict == OK && !broken) return false;
  if (verdict == BAD && !all) return false;
  const start = W.base + load<u32>(record, 12);
  const len = load<u32>(record, 16) - load<u32>(record, 12);
  const field = W.base + load<u32>(record, 8);
  if (kind == KIND_SCTP) {
    const crc = sctpCrc(start, len);
    if (crc == load<u32>(field)) return false;
    store<u32>(field, crc);
    return true;
  }
  const sum = csum_partial(start, len, load<u32>(record, 28));
  if (sum == 0xffff) return false;
  store<u16>(field, <u16>shouldBe(kind, sum, load<u16>(field)));
  return true;
}

/**
 * Fill the fields of the packet just walked: partial ones, with `all` the bad ones too, and every right one that
 * covers a field written.
 * @param frame - where the packet lies
 * @returns fields written
 */
export function fixRecords(frame: usize, first: usize, all: bool): u32 {
  W.base = frame;
  let written: u32 = 0;
  let record = W.next;
  while (record > first) {
    record -= RECORD;
    if (fixOne(record, all, written != 0)) written++;
  }
  return written;
}
