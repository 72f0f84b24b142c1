/** One node of one parser, done with bits that may be unknown, in the order in which the interpreter does it. */
import { CODE } from "../../ir/codes.ts";
import type { Flags, Load, Next, ParseNode } from "../../ir/types.ts";
import type { Counters } from "./counters.ts";
import type { Vector } from "./facts.ts";
import { inlined, type LogEntry, Unclear, type Units, USES_COUNTERS, USES_KEYS } from "./unit.ts";

/** What a step came to. */
export interface Stepped {
  /** Next node, -1: the parse ended. */
  readonly next: number;
  /** The next node's header is not this one's. */
  readonly moved: boolean;
  /** Of the header: bytes, or words where it is as long as the packet or the header's own field says. */
  readonly length: number | string;
  /** Everything that was done, in order; equal logs are equal effects. Bits are resolved at the end of the way. */
  readonly log: readonly LogEntry[];
  readonly keys: readonly Vector[];
  readonly counters: Counters;
}

/** As long as the packet goes on. */
export const REST = "rest";

/** Does one node. */
export class Stepper {
  readonly #units: Units;
  readonly #node: ParseNode;
  /** The body as text, where it is not looked into. */
  readonly #body: string | null;

  /** @param body - the node's body as text ({@link inlined}), or that of one that does the same */
  constructor(units: Units, node: ParseNode, body: string | null = null) {
    this.#units = units;
    this.#node = node;
    this.#body = body ?? (node.body === null ? null : inlined(units.parser, node.body));
  }

  /**
   * From the node's entrance to the next node's.
   * Pre: both parsers' nodes have the same least length and the same length, but for flag fields, which is looked
   * at before.
   */
  run(): Stepped {
    const u = this.#units;
    u.facts.atLeast(u.remaining(), this.#node.minLen);
    let code = this.#header();
    if (code === CODE.OKAY) code = this.#work();
    if (code !== CODE.OKAY) return this.#end(code);
    const { next } = this.#node;
    if (next === null) return this.#end(CODE.STOP_OKAY);
    if (this.#node.encap) u.encapsulate();
    const r = u.check(this.#node.condExprs);
    if (r !== CODE.OKAY) return this.#end(r);
    const found = this.#lookup(next);
    if (found < 0) return this.#end(next.default);
    const moved = !this.#node.overlay && u.length !== 0;
    if (moved) u.event(`advance ${u.length}`);
    if (this.#node.zeroLengthOk) u.event("ends well at the packet's end");
    u.flush();
    return { next: found, moved, ...this.#result() };
  }

  #result(): Pick<Stepped, "length" | "log" | "keys" | "counters"> {
    const { length, log, keys, counters } = this.#units;
    return { length, log, keys, counters };
  }

  #end(code: number): Stepped {
    this.#units.event(`end ${code}`);
    return { next: -1, moved: false, ...this.#result() };
  }

  /** The header's length: the code. */
  #header(): number {
    const u = this.#units;
    const { hdrLen, minLen, body } = this.#node;
    u.length = hdrLen.kind === "min" ? minLen : "own";
    if (hdrLen.kind !== "flags") return CODE.OKAY;
    const flags = body as Flags;
    let length = flags.start;
    for (const f of flags.fields) if (this.#present(flags, f)) length += f.len;
    const fits = !u.facts.atMost(u.remaining(), length - 1);
    if (length < minLen && fits) return CODE.STOP_LENGTH;
    if (!fits && !hdrLen.clamp) return CODE.STOP_LENGTH;
    u.length = fits ? length : REST;
    return CODE.OKAY;
  }

  #present(flags: Flags, field: Flags["fields"][number]): boolean {
    const value = this.#units.load(flags.load);
    return this.#units.facts.equal(
      value.map((bit, i) => ((field.mask >>> i) & 1 ? bit : -1)),
      field.flag,
    );
  }

  /** Checks, metadata, body, metadata: the code. */
  #work(): number {
    const { preChecks, actions, body, postMetadata } = this.#node;
    let r = this.#units.unit(preChecks, actions);
    if (r === CODE.OKAY && body !== null) {
      if (body.kind === "flags" && this.#units.length !== "own") r = this.#flags(body);
      else this.#unseen();
    }
    if (r === CODE.STOP_NODE_OKAY || r === CODE.STOP_SUB_NODE_OKAY) r = CODE.OKAY;
    return r === CODE.OKAY ? this.#units.write(postMetadata) : r;
  }

  /** A body that is not looked into: it does the same where its text, its length and what it is given are the same. */
  #unseen(): void {
    const u = this.#units;
    const text = this.#body!;
    if (u.counters.some((n) => n !== null) && USES_COUNTERS.test(text)) throw new Unclear();
    u.counts(`body of ${u.length}: ${text}`);
    if (!USES_KEYS.test(text)) return;
    // it may read and write key registers: what it does with them depends on what they hold
    const before = u.keys.map((k) => k.map((b) => u.facts.resolve(b)).join(",")).join(" ");
    u.event(`keys ${before}`);
    for (let k = 0; k < u.keys.length; k++)
      u.keys[k] = u.names.number(`key ${k} behind a body at ${u.at} from ${before}`);
  }

  /** The flag fields that are there, one behind the other. */
  #flags(flags: Flags): number {
    const u = this.#units;
    const { at: header, length } = u;
    let from = flags.start;
    let r: number = CODE.OKAY;
    for (const f of flags.fields) {
      if (!this.#present(flags, f)) continue;
      if (f.node >= 0) {
        const end = from + f.len;
        if (length === REST ? u.facts.atMost(u.remaining(), end - 1) : end > Number(length))
          r = CODE.STOP_LENGTH;
        else {
          const { checks, actions } = u.parser.subNodes[f.node]!;
          u.at = header + from;
          u.length = f.len;
          r = u.unit(
            checks.map((c) => ({ ...c, fail: CODE.STOP_COMPARE })),
            actions,
          );
          u.at = header;
          u.length = length;
        }
        if (r !== CODE.OKAY) return r;
      }
      from += f.len;
    }
    return r;
  }

  #lookup(next: Next): number {
    if (next.select === null) return next.wildcard;
    const key = this.#units.load(next.select as Load);
    for (const e of next.table) if (this.#units.facts.equal(key, e.key)) return e.node;
    return next.wildcard;
  }
}
