/** A lowered parser as words, see `engine/layout.ts`. */
import * as at from "../../engine/layout.ts";
import type { Edge, Parser } from "../ir/types.ts";
import type { Elements, Flags, Program, Step, Table, TlvNode, Tlvs } from "./steps.ts";

/** Put a lowered parser into words. */
export function assemble(parser: Parser, program: Program): Int32Array {
  const a = new Assembler(program);
  return a.words(parser);
}

/** Bytes of a word. */
const WORD = 4;
const STEP_WORDS = at.STEP_BYTES / WORD;
const TLV_WORDS = at.TLV_KEY / WORD + 1;

class Assembler {
  readonly #p: Program;
  readonly #words: number[] = new Array<number>(at.HEAD_BYTES / WORD).fill(0);
  /** Steps that have a place; those whose words are not yet there. */
  readonly #steps = new Map<Step, number>();
  readonly #unwritten: Step[] = [];
  /** Tables that many nodes share are laid out once for each wildcard and code. */
  readonly #tables = new Map<readonly Edge[], Map<string, number>>();
  readonly #tlvNodes: readonly number[];
  /** Place of a step that ends a chain. */
  readonly #stop: number;

  constructor(program: Program) {
    this.#p = program;
    this.#stop = this.#lay(stepWords({ kind: at.STOP }));
    // tables name TLV nodes by their places: all have one before the first is written
    this.#tlvNodes = program.tlvNodes.map(() => this.#room(TLV_WORDS));
  }

  words(parser: Parser): Int32Array {
    const { nodes, okay, fail, encap, tlvNodes } = this.#p;
    for (const n of nodes) this.#chain(n);
    this.#put(at.ROOT, this.#chain(nodes[parser.root]!));
    this.#put(at.ROOT_NODE, parser.root);
    this.#put(at.OKAY_TARGET, this.#chain(okay));
    this.#put(at.FAIL_TARGET, this.#chain(fail));
    this.#put(at.ENCAP_TARGET, this.#chain(encap));
    this.#put(at.MAX_NODES, limit(parser.maxNodes));
    this.#put(at.MAX_ENCAPS, limit(parser.maxEncaps));
    this.#put(at.FRAMES, parser.frames);
    this.#put(at.FRAME_SIZE, parser.frameSize);
    this.#put(at.METAMETA_SIZE, parser.metametaSize);
    this.#put(at.COUNTERS, parser.counters.length);
    this.#put(at.KEPT, this.#lay(parser.counters.map((c) => (c.resetAtEncap ? 0 : -1))));
    tlvNodes.forEach((n, i) => void this.#tlvNode(n, this.#tlvNodes[i]!));
    // what a step refers to has chains of its own, so there are more steps the longer it goes on
    for (let s = this.#unwritten.pop(); s !== undefined; s = this.#unwritten.pop()) this.#write(s);
    return Int32Array.from(this.#words);
  }

  /** @returns where `count` words start, of zeros */
  #room(count: number): number {
    const place = WORD * this.#words.length;
    for (let i = 0; i < count; i++) this.#words.push(0);
    return place;
  }

  #put(at: number, word: number): void {
    this.#words[at / WORD] = word;
  }

  #lay(words: readonly number[]): number {
    const place = this.#room(0);
    for (const word of words) this.#words.push(word);
    return place;
  }

  /**
   * Places for a chain's steps, each behind the one that it follows; a jump where that has a place already, a stop at
   * the end. @returns the first's place; 0: no chain
   */
  #chain(first: Step | null): number {
    const heads = [first];
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      let s = head;
      for (; s !== null && !this.#steps.has(s); s = s.next) {
        this.#steps.set(s, this.#room(STEP_WORDS));
        this.#unwritten.push(s);
        heads.push(s.other);
        if (ENDS.has(s.kind)) break;
        if (s.next === null) this.#lay(stepWords({ kind: at.STOP }));
        else if (this.#steps.has(s.next))
          this.#lay(stepWords({ kind: at.JUMP, to: this.#steps.get(s.next)! }));
      }
    }
    return first === null ? 0 : this.#steps.get(first)!;
  }

  #write(s: Step): void {
    const to = s.kind === at.GO ? this.#chain(this.#p.nodes[s.to]!) : s.to;
    const words = stepWords(s, {
      to,
      other: s.other === null ? this.#stop : this.#chain(s.other),
      ref: this.#reference(s),
    });
    const first = this.#steps.get(s)! / WORD;
    for (let i = 0; i < words.length; i++) this.#words[first + i] = words[i]!;
  }

  #reference({ table, tlvs, flags, elements }: Step): number {
    if (table !== null) return this.#table(table);
    if (tlvs !== null) return this.#tlvList(tlvs);
    if (flags !== null) return this.#flagFields(flags);
    return elements === null ? 0 : this.#array(elements);
  }

  #tlvList(t: Tlvs): number {
    const chains = [this.#chain(t.start), this.#chain(t.length), this.#chain(t.type)];
    const limits = [t.maxTlvs, t.maxNonPadding, t.maxPaddingLength, t.maxConsecutivePadding].map(limit);
    const table = this.#table(t.table);
    return this.#lay([
      ...chains,
      t.minLen,
      t.pad1,
      t.eol,
      t.padn,
      table,
      ...limits,
      t.dispLimit,
      t.padn < 0 ? 0 : 1,
    ]);
  }

  #tlvNode(n: TlvNode, place: number): void {
    const steps = this.#chain(n.steps);
    const nested = n.nested === null ? 0 : this.#tlvList(n.nested);
    const overlay = n.overlay === null ? 0 : this.#table(n.overlay);
    const words = [n.minLen, n.maxLen, steps, nested, overlay, this.#chain(n.key)];
    for (let i = 0; i < words.length; i++) this.#words[place / WORD + i] = words[i]!;
  }

  #flagFields(f: Flags): number {
    const load = this.#chain(f.load);
    const fields = f.fields.map((x) => [x.flag, x.mask, x.len, x.handled ? 1 : 0, this.#chain(x.steps)]);
    return this.#lay([load, f.start, fields.length, ...fields.flat()]);
  }

  #array(e: Elements): number {
    const table = this.#table(e.table);
    const [count, type] = [this.#chain(e.count), this.#chain(e.type)];
    return this.#lay([count, e.start, e.elLen, type, table, limit(e.maxEls)]);
  }

  #table({ of, rows, wildcard, default: miss }: Table): number {
    const place = (node: number): number =>
      of === "tlvNodes" ? this.#tlvNodes[node]! : this.#chain(this.#p[of][node]!);
    const known = this.#tables.get(rows) ?? new Map<string, number>();
    this.#tables.set(rows, known);
    const name = `${of} ${wildcard} ${miss}`;
    const made = known.get(name) ?? this.#rows(rows, place, [wildcard < 0 ? 0 : place(wildcard), miss]);
    known.set(name, made);
    return made;
  }

  #rows(edges: readonly Edge[], place: (node: number) => number, head: readonly number[]): number {
    const rows = edges.map(({ key, node }): Row => [key | 0, place(node)]);
    const found = scatter(rows);
    const at = this.#lay(head);
    if (found === null) this.#words.push(0, rows.length);
    else this.#words.push(found.multiplier, 32 - found.bits);
    for (const [key, node] of found?.rows ?? rows) this.#words.push(key, node);
    return at;
  }
}

/** Steps that nothing is behind. */
const ENDS: ReadonlySet<number> = new Set([
  at.GIVE,
  at.FIELD_GIVE,
  at.CONSTANT_GIVE,
  at.STOP,
  at.LOOKUP,
  at.FIELD_LOOKUP,
  at.GO,
]);

/** The words of a step, in their order. */
function stepWords(s: Partial<Step>, { other = 0, to = s.to ?? 0, ref = 0 } = {}): readonly number[] {
  const { kind = 0, off = 0, mask = 0, shift = 0, value = 0, scale = 0 } = s;
  const { frame = 0, element = 0, len = 0, little = 0, count = 0, flag = 0 } = s;
  return [kind, other, off, mask, shift, value, scale, to, frame, element, len, little, count, flag, ref, 0];
}

type Row = readonly [key: number, place: number];
/** Rows where a multiplication tells. */
interface Scattered {
  readonly multiplier: number;
  readonly bits: number;
  readonly rows: readonly Row[];
}

/** The first multiplication of some that gives each key a place of its own, if one does. */
function scatter(rows: readonly Row[]): Scattered | null {
  if (rows.length > 64) return null;
  for (let bits = 32 - Math.clz32(rows.length) + 1; bits < 10; bits++)
    for (let odd = 1; odd < 32; odd += 2) {
      const multiplier = Math.imul(0x9e3779b1, odd);
      const scattered = new Array<Row>(1 << bits).fill([0, 0]);
      const free = rows.every((row) => {
        const i = Math.imul(row[0], multiplier) >>> (32 - bits);
        const taken = scattered[i]![1] !== 0;
        scattered[i] = row;
        return !taken;
      });
      if (free) return { multiplier, bits, rows: scattered };
    }
  return null;
}

/** A limit beyond all packets is as good as the largest number. */
function limit(n: number): number {
  return Math.min(n, 0x7fffffff);
}
