/** Random loads, amounts, conditions and metadata: the parts that documents of `random-document.ts` are made of. */
import type {
  AmountText,
  CheckText,
  CounterActionText,
  CounterText,
  ExprText,
  LoadText,
  MetadataText,
  ParserText,
} from "../../src/ir/document.ts";
import { fieldMax } from "../../src/ir/types.ts";
import { Random } from "./random.ts";

/** What a unit's loads may touch; an exit node has nothing, not even a start. */
export interface Room {
  readonly bytes: number;
  readonly exit?: boolean;
}

const COMPARISONS = [
  ...["equal", "not_equal", "greater_than", "greater_or_equal", "less_than", "less_or_equal"],
];
/** Codes that end something. */
export const STOPS: readonly number[] = [-4, -12, -13, -14, -16, -19, -24, -34];

/** Draws, biased to ends. */
export class Draw extends Random {
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** From `lo` to `hi`, both included. */
  between(lo: number, hi: number): number {
    return lo + this.below(hi - lo + 1);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  word(): number {
    return (this.below(0x10000) * 0x10000 + this.below(0x10000)) >>> 0;
  }

  /** 0 to `max`: small, at an end, beside a power of two, or anything. */
  number(max: number): number {
    switch (this.below(5)) {
      case 0:
        return this.below(Math.min(max, 3) + 1);
      case 1:
        return Math.max(0, max - this.below(3));
      case 2:
        return Math.min(max, Math.max(0, 2 ** this.below(33) - 1 + this.below(3)));
      default:
        return max >= 0xffffffff ? this.word() : this.below(max + 1);
    }
  }

  shuffled<T>(list: readonly T[]): T[] {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  }
}

/** Largest value of a load, as the resolver sees it. */
export function textMax(load: LoadText): number {
  const all =
    load["field-len"] !== undefined
      ? fieldMax(Number(load["field-len"]))
      : load["select-counter"] !== undefined
        ? 0xffff
        : 0xffffffff;
  const mask = load.mask === undefined ? all : Number(load.mask);
  return mask >>> Number(load["right-shift"] ?? 0);
}

/** Makes parts for one parser's geometry. */
export class Parts {
  readonly r: Draw;
  readonly geometry: Required<Pick<ParserText, "metameta-size" | "frame-size" | "num-keys" | "max-nodes">>;
  readonly counters: readonly CounterText[];

  constructor(r: Draw, geometry: Parts["geometry"], counters: readonly CounterText[]) {
    this.r = r;
    this.geometry = geometry;
    this.counters = counters;
  }

  /** @param max - what the load's value stays below or at; a mask sees to it */
  load(room: Room, max = 0xffffffff): LoadText {
    const { r } = this;
    const source = this.#source(room);
    const all = textMax(source);
    let mask = all;
    if (r.chance(50)) mask = this.#mask(all);
    const bits = 32 - Math.clz32(all);
    let shift = r.chance(60) ? 0 : r.chance(15) ? r.below(32) : r.below(Math.min(bits, 31) + 1);
    if (mask >>> shift > max) {
      // cut from above: as many low bits as `max` has for sure
      const few = Math.max(0, 31 - Math.clz32(max + 1 > 0xffffffff ? max : max + 1));
      shift = few === 0 ? Math.min(bits, 31) : Math.min(shift, bits - 1);
      const window = few === 0 ? 0 : ((2 ** few - 1) << shift) >>> 0;
      mask = (mask & window) >>> 0;
      if (mask === 0) mask = (all & window) >>> 0;
      if (mask >>> shift > max) mask = 0;
    }
    return {
      ...source,
      ...(mask === all && r.chance(80) ? {} : { mask }),
      ...(shift === 0 ? {} : { "right-shift": shift }),
    };
  }

  #source(room: Room): LoadText {
    const { r } = this;
    const keys = Number(this.geometry["num-keys"]);
    const others: LoadText[] = [];
    if (keys > 0) others.push({ "select-key": r.below(keys) });
    if (this.counters.length > 0) others.push({ "select-counter": r.pick(this.counters).name });
    if (room.exit !== true) others.push({ remaining: true });
    if (room.bytes === 0 || (others.length > 0 && r.chance(15))) return r.pick(others);
    const len = r.between(1, Math.min(4, room.bytes));
    return {
      "field-off": r.chance(20) ? room.bytes - len : r.below(room.bytes - len + 1),
      "field-len": len,
      ...(r.chance(25) ? { endian: "little" as const } : {}),
    };
  }

  #mask(all: number): number {
    const { r } = this;
    const bits = 32 - Math.clz32(all);
    const low = r.below(bits);
    const window = ((2 ** r.between(1, bits - low) - 1) * 2 ** low) % 0x100000000;
    if (r.chance(10)) return r.chance(50) ? 0 : (r.word() & all) >>> 0;
    return (window & all) >>> 0;
  }

  /** An amount up to `cap` for likely inputs; now and then anything that the format allows. */
  amount(room: Room, most = 12): AmountText {
    const { r } = this;
    if ((room.exit !== true && r.chance(12)) || (room.bytes === 0 && r.chance(60)))
      return { constant: r.chance(90) ? r.below(most + 2) : r.number(0x7fffffff) };
    const multiplier = r.chance(40) ? 1 : r.chance(85) ? r.pick([0, 1, 2, 3, 4, 8]) : r.number(0xffff);
    const add = r.chance(45) ? 0 : r.chance(90) ? r.below(most) : r.number(0xffff);
    const limit = multiplier === 0 ? 0xffffffff : Math.floor((0x7fffffff - add) / multiplier);
    const few = r.chance(75) ? Math.min(limit, r.pick([3, 7, 15, 31])) : limit;
    const load = this.load(room, few);
    return {
      ...load,
      ...(multiplier === 1 && r.chance(70) ? {} : { multiplier }),
      ...(add === 0 && r.chance(70) ? {} : { add }),
    };
  }

  /** A condition that holds for many values of its load. */
  expr(room: Room, depth = 0): ExprText {
    const { r } = this;
    if (depth < 2 && r.chance(25))
      return {
        type: r.pick(["and", "or"]),
        ents: Array.from({ length: r.between(1, 3) }, () => this.expr(room, depth + 1)),
      };
    const load = this.load(room);
    const max = textMax(load);
    const value = r.chance(85) ? (r.chance(70) ? r.number(max) & max : r.number(max)) : r.number(0xffffffff);
    return { ...load, type: r.pick(COMPARISONS), value: value >>> 0 };
  }

  checks(room: Room, inner: boolean): { ents: CheckText[] } | undefined {
    const { r } = this;
    if ((room.bytes === 0 && r.chance(70)) || r.chance(70)) return undefined;
    const ents = Array.from({ length: r.between(1, 2) }, () => ({
      ...(r.chance(50) ? { type: r.pick(["and", "or"] as const) } : {}),
      ...(r.chance(60) ? { "default-fail": r.pick(inner ? [...STOPS, -5, -6] : STOPS) } : {}),
      ents: Array.from({ length: r.between(1, 2) }, () => this.expr(room)),
    }));
    return { ents };
  }

  actions(): CounterActionText[] | undefined {
    const { r } = this;
    if (this.counters.length === 0 || r.chance(60)) return undefined;
    const types = ["pre_metadata_inc", "post_metadata_inc", "pre_metadata_inc", "post_metadata_inc"] as const;
    const all = [...types, "pre_metadata_reset", "post_metadata_reset"] as const;
    return Array.from({ length: r.between(1, 2) }, () => ({
      name: r.pick(this.counters).name,
      type: r.pick(all),
    }));
  }

  metadata(room: Room, most = 3): { ents: MetadataText[] } | undefined {
    const ents: MetadataText[] = [];
    for (let n = this.r.below(most + 1); n > 0; n--) {
      const entry = this.#entry(room);
      if (entry !== null) ents.push(entry);
    }
    return ents.length === 0 ? undefined : { ents };
  }

  #entry(room: Room): MetadataText | null {
    const { r } = this;
    const keys = Number(this.geometry["num-keys"]);
    const types = ["constant", "num_encaps", "num_nodes", "return_code"];
    if (this.counters.length > 0) types.push("counter", "counter");
    if (keys > 0) types.push("key", "key");
    if (room.exit !== true) types.push("offset", "bit_offset", "hdr_length", "offset");
    if (room.bytes > 0) types.push("extract", "extract", "extract", "extract", "extract", "nibb_extract");
    const type = r.pick(types);
    const when = r.chance(20) && (room.exit !== true || keys > 0 || this.counters.length > 0);
    const tail = when ? { when: this.expr(room, 1) } : {};
    const value = this.#value(type, room);
    if (value === null) return null;
    const { text, bits, length } = value;
    if (bits !== null && keys > 0 && r.chance(18)) {
      const width = text.type === "extract" ? { length: Math.min(4, length) } : {};
      return { ...text, ...width, "to-key": r.below(keys), ...tail };
    }
    const target = this.#target(bits, length);
    return target === null ? null : { ...text, ...target, ...tail };
  }

  /** A value's text, the bits it needs (null: bytes that are copied), and the bytes it is usually kept in. */
  #value(type: string, room: Room): { text: MetadataText; bits: number | null; length: number } | null {
    const { r } = this;
    const sized = (n: number): number => 32 - Math.clz32(n);
    switch (type) {
      case "extract": {
        const whole = r.between(1, Math.min(room.bytes, r.chance(75) ? 4 : 32));
        const src = r.below(room.bytes - whole + 1);
        if (r.chance(45)) {
          const text = { ...(r.chance(50) ? { type } : {}), "hdr-src-off": src };
          return { text: { ...text, ...(whole === 2 ? {} : { length: whole }) }, bits: null, length: whole };
        }
        const len = Math.min(whole, 4);
        const mask = r.chance(60) ? this.#mask(fieldMax(len)) : fieldMax(len);
        const shift = r.chance(50) ? 0 : r.below(8 * len);
        const text: MetadataText = { type, "hdr-src-off": src, "src-length": len, mask };
        if (shift > 0) text["right-shift"] = shift;
        if (r.chance(30)) text["src-endian"] = "little";
        return { text, bits: sized(mask >>> shift), length: len };
      }
      case "nibb_extract": {
        const count = r.between(1, Math.min(2 * room.bytes, r.chance(80) ? 7 : 64));
        const src = r.below(2 * room.bytes - count + 1);
        const length = src % 2 === 1 ? 1 + (count >> 1) : (count + 1) >> 1;
        return length > 32
          ? null
          : { text: { type, "hdr-src-off": src, "nibb-length": count }, bits: null, length };
      }
      case "constant": {
        const n = r.number(r.chance(70) ? 0xffff : 0xffffffff);
        return { text: { type, value: n }, bits: sized(n), length: 2 };
      }
      case "offset":
      case "bit_offset": {
        const text: MetadataText = { type };
        if (r.chance(40)) text["hdr-src-off"] = r.chance(80) ? r.below(20) : r.number(0xffff);
        if (r.chance(30)) text["from-end"] = true;
        return { text, bits: 0, length: 2 };
      }
      case "key": {
        const load = this.load({ bytes: 0, exit: true });
        if (load["select-key"] === undefined) return null;
        const { "select-key": key, ...part } = load;
        return { text: { type, key, ...part }, bits: sized(textMax(load)), length: 4 };
      }
      case "counter": {
        const c = r.pick(this.counters);
        const max = Number(c.max ?? c["num-elements"] ?? 0);
        return { text: { type, counter: c.name }, bits: sized(max), length: 2 };
      }
      case "num_nodes":
        return { text: { type }, bits: sized(Number(this.geometry["max-nodes"])), length: 2 };
      case "num_encaps":
        return { text: { type }, bits: 3, length: 2 };
      case "return_code":
        return { text: { type }, bits: 0, length: 4 };
      default:
        return { text: { type }, bits: 0, length: 2 };
    }
  }

  #target(bits: number | null, usual: number): MetadataText | null {
    const { r, geometry } = this;
    const frame = Number(geometry["metameta-size"]) === 0 || r.chance(40);
    const room = Number(frame ? geometry["frame-size"] : geometry["metameta-size"]);
    let len = usual;
    const out: MetadataText = {};
    if (frame) out["is-frame"] = true;
    if (r.chance(35)) out.endian = "little";
    if (bits !== null) {
      const least = Math.max(1, Math.ceil(bits / 8));
      if (least > len || r.chance(40)) len = r.between(least, 4);
      out.length = len;
      const free = 8 * len - bits;
      if (r.chance(25)) {
        const shift = r.below(Math.min(free, 8 * len - 1) + 1);
        if (shift > 0) out["dst-shift"] = shift;
        if (r.chance(70)) out["dst-bits"] = r.between(Math.max(1, bits), 8 * len - shift);
      }
    }
    let span = len;
    if (this.counters.length > 0 && r.chance(25)) {
      const c = r.pick(this.counters);
      span += Number(c["element-size"] ?? 0) * Math.max(0, Number(c["num-elements"] ?? 0) - 1);
      if (span <= room) out.index = c.name;
      else span = len;
    }
    if (span > room) return null;
    return { ...out, "md-off": r.chance(15) ? room - span : r.below(room - span + 1) };
  }
}
