/**
 * Random parser documents: every construct of the format, small numbers and extreme ones, by a seed. Most resolve;
 * those that do not are told apart by the reader, which is the one to say so.
 */
import type {
  ArrayText,
  CounterText,
  CprDocument,
  EntryText,
  FlagsText,
  FlagText,
  LookupText,
  ParseNodeText,
  ParserText,
  SubNodeText,
  TlvNodeText,
  TlvsText,
} from "../../src/ir/document.ts";
import { fieldMax } from "../../src/ir/types.ts";
import { Draw, Parts, type Room, STOPS, textMax } from "./random-parts.ts";

/** The document of a seed. */
export function randomDocument(seed: number): CprDocument {
  return new DocumentMaker(new Draw(seed)).make();
}

const EXITS = ["okay-target", "fail-target", "encap-target"] as const;

/** Without the properties that are undefined: a file has none such. */
function clean<T extends object>(of: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(of).filter(([, v]) => v !== undefined)) as T;
}

class DocumentMaker {
  readonly r: Draw;
  readonly parts: Parts;
  readonly limits: Omit<ParserText, "root-node">;
  readonly counters: CounterText[];
  readonly names: string[];
  /** Those that are leaves without a header: an exit node may be one of them. */
  readonly bare: string[] = [];

  constructor(r: Draw) {
    this.r = r;
    this.names = Array.from({ length: r.between(1, 6) }, (_, i) => `n${i}`);
    this.counters = Array.from({ length: r.chance(50) ? 0 : r.between(1, r.chance(90) ? 3 : 7) }, (_, i) =>
      this.#counter(i),
    );
    const limits = {
      "max-nodes": r.chance(85) ? r.between(1, 20) : r.pick([255, 256, 300]),
      "max-encaps": r.between(0, 5),
      "max-frames": r.chance(90) ? r.between(1, 4) : 33,
      "metameta-size": r.chance(10) ? 0 : r.between(1, 48),
      "frame-size": r.chance(15) ? 0 : r.between(1, 40),
      "num-keys": r.chance(45) ? 0 : r.between(1, r.chance(90) ? 3 : 16),
    };
    this.limits = limits;
    this.parts = new Parts(r, limits, this.counters);
  }

  #counter(i: number): CounterText {
    const { r } = this;
    const most = r.chance(85) ? 4 : 70;
    return clean<CounterText>({
      name: `c${i}`,
      "element-size": r.chance(20) ? undefined : r.between(0, 6),
      "num-elements": r.chance(15) ? undefined : r.below(most),
      max: r.chance(50) ? undefined : r.chance(85) ? r.below(8) : r.number(0xffff),
      "reset-at-encap": r.chance(50) ? undefined : r.chance(50),
      "error-exceeded": r.chance(40) ? undefined : r.chance(30),
      overwritable: r.chance(50) ? undefined : r.chance(50),
    });
  }

  make(): CprDocument {
    const { r } = this;
    const nodes = this.names.map((name, i) => this.#node(name, i));
    const parser: ParserText = { name: "p", ...this.limits, "root-node": "n0" };
    for (const exit of EXITS) {
      if (r.chance(45)) continue;
      if (this.bare.length > 0 && r.chance(15)) parser[exit] = r.pick(this.bare);
      else {
        parser[exit] = `x-${exit}`;
        nodes.push(
          clean<ParseNodeText>({
            name: `x-${exit}`,
            metadata: this.parts.metadata({ bytes: 0, exit: true }),
            "post-metadata": r.chance(2) ? this.parts.metadata({ bytes: 0, exit: true }) : undefined,
          }),
        );
      }
    }
    return clean<CprDocument>({
      cpr: 1,
      parsers: [parser],
      "parse-nodes": nodes,
      counters: this.counters.length === 0 ? undefined : this.counters,
    });
  }

  #node(name: string, i: number): ParseNodeText {
    const { r, parts } = this;
    const last = i === this.names.length - 1;
    const leaf = r.chance(last ? 70 : 12);
    if (leaf && i > 0 && r.chance(15)) {
      this.bare.push(name);
      return clean<ParseNodeText>({
        name,
        "min-hdr-length": 0,
        metadata: parts.metadata({ bytes: 0, exit: true }),
      });
    }
    const min = r.chance(12) ? 0 : r.chance(80) ? r.between(1, 8) : r.between(9, 40);
    const room: Room = { bytes: min };
    const overlay = r.chance(12);
    const body = r.chance(45) ? this.#body(room) : {};
    return clean<ParseNodeText>({
      name,
      "min-hdr-length": min,
      "hdr-length": this.#length(room, body),
      short: r.chance(15) ? r.pick(STOPS) : undefined,
      overlay: overlay || undefined,
      encap: r.chance(25) || undefined,
      "zero-length-ok": r.chance(20) || undefined,
      "pre-checks": parts.checks(room, false),
      "counter-actions": parts.actions(),
      metadata: parts.metadata(room),
      ...body,
      "post-metadata": r.chance(20) ? parts.metadata(room) : undefined,
      ...(leaf ? {} : this.#next(room)),
      "cond-exprs": leaf ? undefined : parts.checks(room, false),
    });
  }

  #length(room: Room, body: Partial<ParseNodeText>): ParseNodeText["hdr-length"] {
    const { r } = this;
    const clamp = r.chance(20) ? { clamp: true } : {};
    const flags = body["flag-fields-parse-node"] !== undefined;
    if (flags && r.chance(75)) return { "flag-fields-length": true, ...clamp };
    // a body without room is an empty one
    if (r.chance(Object.keys(body).length > 0 ? 10 : 50)) return undefined;
    if (r.chance(20)) return "rest";
    return { ...this.parts.amount(room, 30), ...clamp };
  }

  #next(room: Room): Partial<ParseNodeText> {
    const { r } = this;
    if (r.chance(15)) return { "next-node": r.pick(this.names) };
    return { "next-proto": this.#lookup(room, false, () => r.pick(this.names)) as LookupText<never> };
  }

  /** A look-up with entries whose keys can occur. */
  #lookup<N>(room: Room, inner: boolean, node: () => string | N): LookupText<N> {
    const { r } = this;
    const load = this.parts.load(room, r.chance(80) ? 255 : 0xffffffff);
    const out: LookupText<N> = { ...load, ents: this.#entries(textMax(load), 4, node) };
    if (r.chance(35)) out["wildcard-node"] = node();
    if (out["wildcard-node"] !== undefined && r.chance(20)) out.default = "wild";
    else if (r.chance(40)) out.default = r.pick(inner ? [0, -4, -5, -6, -12, -16] : [0, -4, -12, -14]);
    if (out.ents!.length === 0 && r.chance(50) && out["wildcard-node"] !== undefined)
      return { "wildcard-node": out["wildcard-node"] };
    return out;
  }

  #entries<N>(max: number, most: number, node: () => string | N): EntryText<N>[] {
    const { r } = this;
    const keys = new Set<number>();
    for (let n = r.between(0, most); n > 0; n--) keys.add((r.number(max) & max) >>> 0);
    return r.shuffled([...keys]).map((key) => ({ key, node: node() }));
  }

  #body(room: Room): Partial<ParseNodeText> {
    switch (this.r.below(4)) {
      case 0:
        return { "flag-fields-parse-node": this.#flags(room) };
      case 1:
        return { "array-parse-node": this.#array(room) };
      default:
        return { "tlv-parse-node": this.#tlvs(room, 0) };
    }
  }

  #flags(room: Room): FlagsText {
    const { r } = this;
    const len = Math.min(r.between(1, 4), Math.max(1, room.bytes));
    const all = fieldMax(len);
    const mask = r.chance(60) ? all : (r.word() & all) >>> 0;
    const ents = Array.from({ length: r.between(0, 4) }, (): FlagText => {
      const own = r.chance(85) ? 2 ** r.below(8 * len) : (r.word() & all) >>> 0;
      const bits = ((r.chance(80) ? own : own | (1 << r.below(8 * len))) & mask) >>> 0;
      const size = r.chance(85) ? r.between(0, 6) : r.number(0xffff);
      return clean<FlagText>({
        flag: r.chance(75) ? bits : (r.word() & bits) >>> 0,
        mask: bits,
        "field-len": r.chance(10) ? undefined : size,
        node: r.chance(70) ? this.#sub({ bytes: size }) : undefined,
      });
    });
    return clean<FlagsText>({
      "flags-offset": r.below(Math.max(1, room.bytes - len + 1)),
      "flags-length": len,
      "flags-mask": mask === all ? undefined : mask,
      endian: r.chance(25) ? ("little" as const) : undefined,
      "fields-offset": r.chance(60) ? undefined : r.below(room.bytes + 3),
      ents,
    });
  }

  #array(room: Room): ArrayText {
    const { r, parts } = this;
    const size = r.chance(85) ? r.between(1, 6) : r.number(39) + 1;
    const unit: Room = { bytes: size };
    const typed = r.chance(75) ? parts.load(unit, 15) : undefined;
    const wild = r.chance(40) ? this.#sub(unit) : undefined;
    return clean<ArrayText>({
      "num-els": r.chance(15) ? r.below(6) : parts.amount(room, 4),
      "start-offset": r.chance(60) ? undefined : r.below(room.bytes + 3),
      "el-length": size,
      "el-type": typed,
      ents: this.#entries(typed === undefined ? 0 : textMax(typed), 3, () => this.#sub(unit)),
      "wildcard-node": wild,
      default: r.chance(50) ? r.pick([0, 0, -4, -12]) : undefined,
      "max-els": r.chance(60) ? undefined : r.chance(80) ? r.below(8) : r.number(0xffff),
    });
  }

  #sub(room: Room): SubNodeText {
    const { parts } = this;
    return clean<SubNodeText>({
      "cond-exprs": parts.checks(room, false),
      "counter-actions": parts.actions(),
      metadata: parts.metadata(room, 2),
    });
  }

  #tlvs(outer: Room, depth: number): TlvsText {
    const { r, parts } = this;
    const min = r.chance(60) ? 2 : r.between(1, 6);
    const room: Room = { bytes: min };
    const u8 = (off: number): { "field-off": number; "field-len": number } => ({
      "field-off": off,
      "field-len": 1,
    });
    const type = r.chance(50) ? u8(0) : parts.load(room, r.chance(70) ? 255 : 0xffffffff);
    const length = r.chance(50)
      ? { ...u8(Math.min(1, min - 1)), ...(r.chance(30) ? { mask: 15, add: r.below(4) } : {}) }
      : { ...parts.amount(room, 8) };
    const max = textMax(type);
    const limit = (): number => (r.chance(85) ? r.between(0, 6) : r.number(255));
    const start = r.chance(60) ? r.below(outer.bytes + 2) : parts.amount(outer, 6);
    const wild = r.chance(30) ? this.#tlv(room, depth) : undefined;
    const dispose = r.pick([-4, -5, -6, -12, -34]);
    return clean<TlvsText>({
      "start-offset": r.chance(50) ? undefined : start,
      "tlv-type": type,
      "tlv-length": length,
      "min-hdr-length": min === 2 && r.chance(70) ? undefined : min,
      pad1: r.chance(40) ? r.pick([0, 1, 0x80, 0xff]) : undefined,
      eol: r.chance(40) ? r.pick([2, 3, 0x7f, 0xfe]) : undefined,
      padn: r.chance(40) ? (r.chance(80) ? (r.number(max) & max) >>> 0 : r.number(0xffffffff)) : undefined,
      ents: this.#entries(max, 4, () => this.#tlv(room, depth)),
      "wildcard-node": wild,
      default: r.chance(50) ? r.pick([0, -4, -5, -6, -12, -16]) : undefined,
      "max-tlvs": r.chance(70) ? undefined : limit(),
      "max-non-padding": r.chance(70) ? undefined : limit(),
      "max-padding-length": r.chance(70) ? undefined : limit(),
      "max-consecutive-padding": r.chance(70) ? undefined : limit(),
      "disp-limit-exceeded": r.chance(50) ? undefined : dispose,
    });
  }

  #tlv(outer: Room, depth: number): TlvNodeText {
    const { r, parts } = this;
    const min = r.chance(30) ? undefined : r.between(0, outer.bytes + 4);
    const room: Room = { bytes: min ?? 0 };
    const overlaid = depth < 3 && r.chance(18);
    return clean<TlvNodeText>({
      "min-hdr-length": min,
      "max-hdr-length": r.chance(80) ? undefined : (min ?? 0) + r.below(6),
      "cond-exprs": parts.checks(room, true),
      "counter-actions": parts.actions(),
      metadata: parts.metadata(room, 2),
      "nested-node": depth < 2 && r.chance(18) ? this.#tlvs(room, depth + 1) : undefined,
      "overlay-node": overlaid ? this.#lookup(room, true, () => this.#tlv(room, depth + 1)) : undefined,
    });
  }
}
