// Outer checksums over a part that a device was still to fill in: they are made as if it had been.
import { BAD, INNER_PARTIAL, KIND_SCTP, KIND_UDP, KIND_UDPLITE, PARTIAL } from "./codes";
import { add16, RECORD, W } from "./state";

// @ts-ignore: decorator
@inline
function kindOf(record: usize): u32 {
  return load<u8>(record);
}

/** Found value and the one that should be, as words of the range that begins at `start`. */
function change(inner: usize, start: u32): u32 {
  const phase = (load<u32>(inner, 8) - start) & 1;
  const found = load<u32>(inner, 20);
  const expected = load<u32>(inner, 24);
  let delta: u32 = 0;
  if (kindOf(inner) == KIND_SCTP) {
    delta = add16(~(found >> 16) & 0xffff, ~found & 0xffff);
    delta = add16(delta, add16(expected >> 16, expected & 0xffff));
  } else {
    delta = add16(~found & 0xffff, expected);
  }
  return phase ? <u32>bswap<u16>(<u16>delta) : delta;
}

function adjust(outer: usize, end: usize): void {
  if (load<u8>(outer, 1) != BAD) return;
  const kind = kindOf(outer);
  const start = load<u32>(outer, 12);
  const stop = load<u32>(outer, 16);
  const found = load<u32>(outer, 20);
  // big-endian words, as the record shows them
  let rest = ~load<u32>(outer, 24) & 0xffff;
  let covers = false;
  for (let inner = outer + RECORD; inner < end; inner += RECORD) {
    if (load<u8>(inner, 1) != PARTIAL || load<u8>(inner, 2) == INNER_PARTIAL) continue;
    // the same bytes, not those of a reassembled datagram
    if (load<u8>(inner, 3) != load<u8>(outer, 3)) continue;
    const field = load<u32>(inner, 8);
    if (field < start || field >= stop) continue;
    rest = add16(rest, change(inner, start));
    covers = true;
  }
  if (!covers) return;
  let check = ~rest & 0xffff;
  if (check == 0 && (kind == KIND_UDP || kind == KIND_UDPLITE)) check = 0xffff;
  if (check != found) return;
  store<u8>(outer, PARTIAL, 1);
  store<u8>(outer, INNER_PARTIAL, 2);
  store<u32>(outer, found, 24);
  const counter = W.area + 16 + ((kind * 8 + BAD) << 2);
  store<u32>(counter, load<u32>(counter) - 1);
  store<u32>(counter + 4, load<u32>(counter + 4) + 1);
}

/** @param first - the packet's first record; they end at W.next */
export function innerPartials(first: usize): void {
  let record = W.next;
  while (record > first) {
    record -= RECORD;
    adjust(record, W.next);
  }
  // the verdicts may have changed
  let seen: u32 = 0;
  for (record = first; record < W.next; record += RECORD) seen |= 1 << <u32>load<u8>(record, 1);
  W.seen = seen;
}
