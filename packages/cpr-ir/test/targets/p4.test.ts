import { describe, expect, test } from "vitest";
import { orThrow } from "../../src/diagnostics.ts";
import { Interpreter } from "../../src/interp/run.ts";
import { codeName } from "../../src/ir/codes.ts";
import type { Parser } from "../../src/ir/types.ts";
import { generateCases } from "../../src/paths/generate.ts";
import { SHIPPED_PARSERS, shippedParser } from "../../src/programs.ts";
import { compileP4 } from "../../src/targets/p4/compile.ts";
import { allPackets, haveCaptures } from "../helpers/captures.ts";
import { mutate, Random } from "../helpers/random.ts";
import { seedPackets } from "../helpers/seeds.ts";
import { P4Parser } from "../ref/p4/exec.ts";
import { parseP4 } from "../ref/p4/parse.ts";

interface Case {
  readonly packet: Uint8Array;
  readonly keys: Uint32Array;
}

/** The emitted text, read back and run, beside the interpreter. */
class Compare {
  readonly #p4: P4Parser;
  readonly #run: Interpreter;
  readonly #start: number;
  readonly #metadata: Uint8Array;
  compared = 0;

  constructor(parser: Parser, text: string, start = 0) {
    this.#p4 = new P4Parser(parseP4(text));
    this.#run = new Interpreter(parser);
    this.#start = start;
    this.#metadata = new Uint8Array(this.#run.metadata.length);
  }

  /** What differs, or null. */
  difference({ packet, keys }: Case): string | null {
    const run = this.#run;
    const p4 = this.#p4;
    run.clear();
    run.keys.set(keys);
    run.run(packet, packet.length, this.#start);
    const result = p4.run(packet, Object.fromEntries([...keys].map((k, i) => [`key${i}`, k])));
    this.compared++;
    const { parser } = run;
    this.#metadata.fill(0);
    p4.bytes("metameta", this.#metadata.subarray(0, parser.metametaSize));
    for (let i = 0; i < parser.frames; i++) {
      const from = parser.metametaSize + i * parser.frameSize;
      p4.bytes(`frame${i}`, this.#metadata.subarray(from, from + parser.frameSize));
    }
    const okay = run.code > -12;
    const error = okay ? "NoError" : errorOf(run.code);
    if (
      p4.number("code") === run.code &&
      p4.number("last") === run.lastNode &&
      p4.number("encaps") === run.encaps &&
      p4.number("nodes") === run.nodes &&
      result.accepted === okay &&
      result.error === error &&
      run.keys.every((k, i) => p4.number(`key${i}`) === k) &&
      Buffer.compare(this.#metadata, run.metadata) === 0
    )
      return null;
    const told = ["code", "last", "encaps", "nodes", ...[...run.keys].map((_, i) => `key${i}`)];
    return (
      `${Buffer.from(packet).toString("hex")} keys ${keys}\n` +
      `p4          ${told.map((n) => `${n} ${p4.number(n)}`).join(" ")} ${result.error} ${Buffer.from(this.#metadata).toString("hex")}\n` +
      `interpreter code ${run.code} last ${run.lastNode} encaps ${run.encaps} nodes ${run.nodes} keys ${run.keys} ${error} ${Buffer.from(run.metadata).toString("hex")}`
    );
  }

  add(c: Case): void {
    const found = this.difference(c);
    if (found !== null) throw new Error(found);
  }
}

/** STOP_MAX_NODES: StopMaxNodes. */
function errorOf(code: number): string {
  return codeName(code)
    .split("_")
    .map((w) => w[0] + w.slice(1).toLowerCase())
    .join("");
}

const seed = Date.now() & 0xffffff;
const NAMES = Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[];
/** A parser of a document: which one where it is not the first. */
interface Shipped {
  readonly title: string;
  readonly name: keyof typeof SHIPPED_PARSERS;
  readonly which?: string;
}
const SHIPPED: readonly Shipped[] = [
  ...NAMES.map((name) => ({ title: name, name })),
  { title: "big_ip", name: "big", which: "big_ip" },
];
const textOf = (of: Parser, name: keyof typeof SHIPPED_PARSERS, start = 0): string =>
  orThrow(compileP4(of, { layout: SHIPPED_PARSERS[name]["metadata-layout"], start }));

/** Inputs as the flow dissector takes them: flags, and the frame's type where it starts behind Ethernet. */
function inputs(of: Parser, packet: Uint8Array, flags: number): Case {
  const keys = new Uint32Array(of.numKeys);
  if (of.numKeys > 0) {
    keys[0] = flags;
    keys[1] = packet.length < 14 ? 0x800 : (packet[12]! << 8) | packet[13]!;
  }
  return { packet, keys };
}

describe.each(SHIPPED)("$title", ({ name, which }) => {
  const of = shippedParser(name, which);
  const start = of.numKeys > 0 ? 14 : 0;

  test("path packets and their neighbours", () => {
    const compare = new Compare(of, textOf(of, name));
    const { cases, paths } = generateCases(of);
    // big_ip is big without its first header: of the neighbours every fourth
    const stride = which === undefined ? 1 : 4;
    for (const [i, c] of cases.entries()) if (i < paths || i % stride === 0) compare.add(c);
    expect(compare.compared).toBeGreaterThan(400);
  });

  test.runIf(haveCaptures)("every packet of every capture", () => {
    const compare = new Compare(of, textOf(of, name, start), start);
    for (const packet of allPackets()) compare.add(inputs(of, packet, 0));
    expect(compare.compared).toBeGreaterThan(1000);
  });

  test(`random and mutated packets, seed ${seed}`, () => {
    const random = new Random(seed);
    const seeds = seedPackets();
    const compare = new Compare(of, textOf(of, name, start), start);
    const rounds = Number(process.env.CPR_ROUNDS ?? 4000);
    for (let i = 0; i < rounds; i++) {
      const packet =
        i % 8 === 0 ? random.bytes(random.below(120)) : mutate(seeds[random.below(seeds.length)]!, random);
      compare.add(inputs(of, packet, random.below(16)));
    }
  });
});
