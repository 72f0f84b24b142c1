/**
 * Metadata of a parser as struct bpf_flow_keys, and the start of a flow dissector.
 * @see include/uapi/linux/bpf.h struct bpf_flow_keys
 */
import { fail, ok, type Result } from "../../../diagnostics.ts";
import type { CprDocument } from "../../../ir/document.ts";
import { FLOW_KEYS, FLOW_KEYS_BYTES, type FlowKeysMember } from "../../../ir/flow-keys.ts";
import {
  ALL_ONES,
  type Load,
  type MdTarget,
  type Metadata,
  type Next,
  type ParseNode,
  type Parser,
} from "../../../ir/types.ts";

type MemoryTarget = Extract<MdTarget, { kind: "memory" }>;

/** A place of the metadata that is a member. */
export interface FlowKeysField {
  readonly member: FlowKeysMember;
  /** In a frame; all frames are one, as the kernel's keys are those of the last header that wrote them. */
  readonly frame: boolean;
  /** From the start of the metameta area or of the frame. */
  readonly off: number;
  /** Bytes. */
  readonly len: number;
  /** Least significant byte first. */
  readonly little: boolean;
  /** Bits of the number: `bits` from bit `shift`. */
  readonly shift: number;
  readonly bits: number;
  /** Constants that mean another number in the struct. */
  readonly values: ReadonlyMap<number, number> | null;
}

/** What a document declares of its metadata as struct bpf_flow_keys; undefined: nothing, the metameta area is that struct. */
export function flowKeysFields(document: CprDocument): FlowKeysField[] | undefined {
  return document["flow-keys"]?.map((f) => ({
    member: f.member,
    frame: f["is-frame"] === true,
    off: Number(f["md-off"]),
    len: Number(f.length),
    little: f.endian === "little",
    shift: Number(f["bit-shift"] ?? 0),
    bits: Number(f.bits ?? 8 * Number(f.length)),
    values:
      f.values === undefined
        ? null
        : new Map(f.values.map((v) => [Number(v.value), Number(v.means)] as const)),
  }));
}

/**
 * A parser as a flow dissector.
 *
 * pre: a resolved parser. post: its metameta area is struct bpf_flow_keys; metadata that is no member is not written;
 * there is one frame. A parser whose root is an Ethernet header, which the kernel has taken off, starts at the root's
 * table with key register 1, which holds n_proto; other parsers start at their root.
 * @param fields - default: the metameta area is that struct already
 */
export function toFlowKeys(parser: Parser, fields?: readonly FlowKeysField[]): Result<Parser> {
  if (fields === undefined && parser.metametaSize !== FLOW_KEYS_BYTES)
    return fail(
      "ebpf.flow-keys",
      `${parser.name}: which of its metadata is which member of struct bpf_flow_keys must be declared`,
    );
  try {
    return ok(behindEthernet(new Mapping(parser, fields).run()));
  } catch (error) {
    if (error instanceof Unmapped) return fail("ebpf.flow-keys", error.message, { path: error.path });
    throw error;
  }
}

/** Something cannot be said in the struct. */
class Unmapped extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.path = path;
  }
}

class Mapping {
  readonly #parser: Parser;
  readonly #fields: readonly FlowKeysField[] | null;
  readonly #counters: ReadonlySet<number>;
  #path = "";

  constructor(parser: Parser, fields: readonly FlowKeysField[] | undefined) {
    this.#parser = parser;
    this.#fields = fields ?? null;
    this.#counters = countersThatMatter(parser);
  }

  run(): Parser {
    const p = this.#parser;
    return {
      ...p,
      frames: 1,
      frameSize: 0,
      metametaSize: FLOW_KEYS_BYTES,
      nodes: p.nodes.map((n) => {
        this.#path = `node ${n.name}`;
        return { ...this.#unit(n), postMetadata: this.#list(n.postMetadata) };
      }),
      tlvNodes: p.tlvNodes.map((n) => {
        this.#path = `TLV ${n.name}`;
        return this.#unit(n);
      }),
      subNodes: p.subNodes.map((n) => {
        this.#path = `field ${n.name}`;
        return this.#unit(n);
      }),
    };
  }

  #unit<T extends Pick<ParseNode, "actions">>(unit: T): T {
    const { pre, metadata, post } = unit.actions;
    const steps = (list: typeof pre): typeof pre => list.filter((s) => this.#counters.has(s.counter));
    return { ...unit, actions: { pre: steps(pre), metadata: this.#list(metadata), post: steps(post) } };
  }

  #list(list: readonly Metadata[]): Metadata[] {
    return list.flatMap((m) => (m.target.kind === "key" ? [m] : this.#entry(m, m.target)));
  }

  #entry(m: Metadata, t: MemoryTarget): Metadata[] {
    if (this.#fields === null) return t.frame || t.index !== null ? this.#drop(m, t) : [m];
    const near = this.#fields.filter(
      (f) => f.frame === t.frame && f.off < t.off + t.len && t.off < f.off + f.len,
    );
    if (near.length === 0) return this.#drop(m, t);
    if (t.index !== null) throw new Unmapped(this.#path, "an element of an array is a member");
    if (m.value.kind !== "copy" && m.value.kind !== "nibbles" && t.bits < 8 * t.len) {
      const bits = near.filter((f) => f.shift < t.shift + t.bits && t.shift < f.shift + f.bits);
      const same = bits.find(
        (f) => f.off === t.off && f.len === t.len && f.shift === t.shift && f.bits === t.bits,
      );
      if (bits.length === 0) return this.#drop(m, t);
      if (same === undefined)
        throw new Unmapped(this.#path, "bits are written that are no member by themselves");
      return [this.#number(m, t, same)];
    }
    const whole = near
      .filter((f) => f.off <= t.off && t.off + t.len <= f.off + f.len && f.bits === 8 * f.len)
      .sort((a, b) => a.len - b.len)[0];
    if (whole !== undefined) return [this.#whole(m, t, whole)];
    return this.#parts(m, t, near);
  }

  /** Left out, unless it could end the parse. */
  #drop({ value }: Metadata, t: MemoryTarget): Metadata[] {
    if ((value.kind === "offset" || value.kind === "length") && t.bits < 16)
      throw new Unmapped(
        this.#path,
        "metadata that is no member may not fit its place, which ends the parse",
      );
    if (value.kind === "offset" && (value.bits ? 8 : 1) * 0xffff + value.add >= 2 ** t.bits)
      throw new Unmapped(
        this.#path,
        "metadata that is no member may not fit its place, which ends the parse",
      );
    return [];
  }

  /** A write that lies in a field. */
  #whole(m: Metadata, t: MemoryTarget, f: FlowKeysField): Metadata {
    const to = FLOW_KEYS[f.member];
    if (f.values !== null || f.len !== to.len) return this.#number(m, t, f);
    const turned = to.len <= 4 && f.little !== to.host && f.len > 1;
    if (turned && t.len !== f.len) throw new Unmapped(this.#path, `a part of ${f.member} is written`);
    const target = { ...t, frame: false, off: to.off + t.off - f.off, little: turned ? !t.little : t.little };
    return { ...m, target };
  }

  /** A number that becomes a member of another width. */
  #number(m: Metadata, t: MemoryTarget, f: FlowKeysField): Metadata {
    const to = FLOW_KEYS[f.member];
    if (t.len !== f.len || to.len > 4)
      throw new Unmapped(this.#path, `${f.member} cannot be made of ${t.len} bytes`);
    const target: MemoryTarget = {
      kind: "memory",
      frame: false,
      off: to.off,
      len: to.len,
      little: to.host,
      shift: 0,
      bits: 8 * to.len,
      index: null,
    };
    const { value } = m;
    if (value.kind === "constant") {
      const number = f.bits >= 32 ? value.value : value.value & (2 ** f.bits - 1);
      const mapped = f.values === null ? number : f.values.get(number);
      if (mapped === undefined) throw new Unmapped(this.#path, `${number} is no value of ${f.member}`);
      return { ...m, value: { kind: "constant", value: mapped }, target };
    }
    if (f.values !== null || value.kind !== "load")
      throw new Unmapped(this.#path, `${f.member} is made of no constant`);
    return { ...m, value: { kind: "load", load: narrowed(value.load, f.bits) }, target };
  }

  /** A copy of bytes of which some are members. */
  #parts(m: Metadata, t: MemoryTarget, near: readonly FlowKeysField[]): Metadata[] {
    const { value } = m;
    if (value.kind !== "copy" || t.little)
      throw new Unmapped(this.#path, "several members are written as a number");
    return near.map((f) => {
      if (f.off < t.off || f.off + f.len > t.off + t.len || f.bits !== 8 * f.len)
        throw new Unmapped(this.#path, `a part of ${f.member} is written`);
      const part = { ...m, value: { kind: "copy" as const, off: value.off + f.off - t.off } };
      return this.#whole(part, { ...t, off: f.off, len: f.len, bits: 8 * f.len }, f);
    });
  }
}

/** The lowest bits of a load. */
function narrowed(load: Load, bits: number): Load {
  const kept = bits >= 32 ? ALL_ONES : ((2 ** bits - 1) << load.shift) >>> 0;
  return { ...load, mask: (load.mask & kept) >>> 0 };
}

/** Counters that are read, or that can end the parse; those that only place elements of arrays are dropped with them. */
function countersThatMatter(parser: Parser): Set<number> {
  const found = new Set<number>();
  for (const [i, c] of parser.counters.entries()) if (c.errorExceeded) found.add(i);
  const walk = (x: unknown): void => {
    if (typeof x !== "object" || x === null) return;
    const source = x as { kind?: unknown; counter?: unknown };
    if (source.kind === "counter" && typeof source.counter === "number") found.add(source.counter);
    for (const v of Object.values(x)) walk(v);
  };
  walk([parser.nodes, parser.tlvNodes, parser.subNodes]);
  return found;
}

const ETHERNET = { length: 14, type: 12 } as const;

/** Start behind an Ethernet header: the kernel gives its type. */
function behindEthernet(parser: Parser): Parser {
  const root = parser.nodes[parser.root]!;
  if (parser.numKeys > 0 || root.next === null || !startsFrame(root, root.next)) return parser;
  const select: Load = { source: { kind: "key", key: 1 }, mask: ALL_ONES, shift: 0 };
  const start: ParseNode = {
    ...root,
    minLen: 0,
    hdrLen: { kind: "min" },
    preChecks: [],
    actions: { pre: [], metadata: [], post: [] },
    body: null,
    postMetadata: [],
    condExprs: [],
    next: { ...root.next, select },
    overlay: true,
    encap: false,
    zeroLengthOk: false,
  };
  return { ...parser, numKeys: 2, nodes: [...parser.nodes, start], root: parser.nodes.length };
}

function startsFrame(root: ParseNode, { select }: Next): boolean {
  if (root.minLen !== ETHERNET.length || select === null || select.source.kind !== "field") return false;
  const { source, mask, shift } = select;
  return (
    source.off === ETHERNET.type &&
    source.len === 2 &&
    !source.little &&
    (mask & 0xffff) === 0xffff &&
    shift === 0
  );
}
