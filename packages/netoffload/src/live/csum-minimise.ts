/** From a case that differs to the least one that still does. */
import { type CsumCase, LINEAR } from "./csum-case.ts";
import type { CsumCompare, CsumDifference } from "./csum-compare.ts";
import { MAX_BATCH_BYTES } from "./csum-subject.ts";

/** Rounds, each one batch to the kernel; most cases need fewer than ten. */
const ROUNDS = 60;
const LEAST_FRAME = 14;
const MOST_AT_ONCE = 256;

/**
 * Shorten a case, simplify its layout and zero its bytes as long as program and kernel still differ.
 * @returns the last case that differed, which is the given one where nothing simpler does
 */
export async function minimise(compare: CsumCompare, first: CsumDifference): Promise<CsumDifference> {
  let best = first;
  for (let round = 0; round < ROUNDS; round++) {
    const candidates = simpler(best.case).filter((c) => weight(c) < weight(best.case));
    if (candidates.length === 0) break;
    candidates.sort((a, b) => weight(a) - weight(b));
    const verdicts = await compare.judge(batchOf(candidates));
    const found = verdicts.find((d) => d !== null && d.program === first.program);
    if (found === undefined || found === null) break;
    best = found;
  }
  return best;
}

/** As many of the first as one batch takes. */
function batchOf(cases: readonly CsumCase[]): CsumCase[] {
  const batch: CsumCase[] = [];
  let bytes = 0;
  for (const c of cases) {
    bytes += c.frame.length;
    if (batch.length > 0 && (bytes > MAX_BATCH_BYTES || batch.length === MOST_AT_ONCE)) break;
    batch.push(c);
  }
  return batch;
}

/** Less is simpler: length first, then layout, then how many bytes are not zero. */
function weight(c: CsumCase): number {
  const { frags, fragList, sharedFrag, cloned, headroom } = c.layout;
  const pieces = frags.length + 2 * fragList.length + (sharedFrag ? 1 : 0) + (cloned ? 1 : 0);
  let bytes = 0;
  for (const b of c.frame) if (b !== 0) bytes++;
  const numbers = (c.csumOffset > 0xff ? 2 : 0) + (c.csumStart > 0xff ? 2 : 0);
  return c.frame.length * 1000 + pieces * 100 + (headroom === 64 ? 0 : 1) + bytes * 2 + numbers;
}

function simpler(c: CsumCase): CsumCase[] {
  const out: CsumCase[] = [];
  const { frame, csumStart, csumOffset, layout } = c;
  const add = (change: Partial<CsumCase>): void => {
    out.push({ ...c, cell: -1, ...change });
  };
  const n = frame.length;
  // cut the end; where the field is behind it, it follows
  for (const cut of cuts(n - LEAST_FRAME)) {
    add({ frame: frame.subarray(0, n - cut) });
    add({ frame: frame.subarray(0, n - cut), csumOffset: Math.max(0, csumOffset - cut) });
  }
  // take bytes out before and behind the start of the sum
  const least = c.route === "tap" ? 20 : 12;
  for (const cut of cuts(csumStart - least))
    add({ frame: without(frame, 14, cut), csumStart: csumStart - cut });
  for (const at of [csumStart, csumStart + csumOffset + 2].filter((place) => place >= 0))
    for (const cut of cuts(n - at))
      if (at < n && at >= LEAST_FRAME) {
        add({ frame: without(frame, at, cut) });
        if (at === csumStart && cut <= csumOffset)
          add({ frame: without(frame, at, cut), csumOffset: csumOffset - cut });
      }
  add({ layout: LINEAR });
  add({ layout: { ...LINEAR, frags: layout.frags.slice(-1) } });
  add({ layout: { ...layout, cloned: false } });
  add({ layout: { ...layout, sharedFrag: false } });
  add({ layout: { ...layout, fragList: [] } });
  add({ layout: { ...layout, headroom: 64 } });
  if (layout.frags.length > 1) add({ layout: { ...layout, frags: layout.frags.slice(1) } });
  // zero half, quarters, single bytes
  for (let size = n - LEAST_FRAME; size >= 1; size = Math.floor(size / 2)) {
    for (let at = LEAST_FRAME; at < n && out.length < 2000; at += size)
      if (frame.subarray(at, at + size).some((b) => b !== 0)) {
        const zeroed = frame.slice();
        zeroed.fill(0, at, at + size);
        add({ frame: zeroed });
      }
    if (n > 200 && size < n / 16) break;
  }
  return out;
}

/** How much to take away: nearly all, halves of it, a few bytes. */
function cuts(most: number): number[] {
  const list: number[] = [];
  for (let cut = most; cut > 4; cut = Math.floor(cut / 2)) list.push(cut);
  for (const cut of [4, 3, 2, 1]) if (cut <= most) list.push(cut);
  return list;
}

function without(frame: Uint8Array, at: number, cut: number): Uint8Array {
  const out = new Uint8Array(Math.max(at, frame.length - cut));
  out.set(frame.subarray(0, at));
  out.set(frame.subarray(at + cut), at);
  return out;
}
