// The device's parser engine beside the interpreter and the wasm target: the big parser on a mix of packets, on an
// engine without limits that matter, and on narrower ones whose states were split to fit.
// Run on the built packages: npm run bench -- tcam
import {
  compileTcam,
  Interpreter,
  orThrow,
  shippedParser,
  TCAM_IDEAL,
  type TcamLimits,
  WasmParser,
} from "@netoffload/cpr-ir";
import { TcamEngine } from "@netoffload/nic-model";
import { finish, jsRow, type Row, report, time } from "../../csum/bench/harness.ts";

const COUNT = 256;
/** Of the interpreter's speed: what a differential run of a million packets can afford. */
const GOAL = 0.2;
const ETHER = "020000000001020000000002";
const ip4 = (proto: string, rest: string): string => `450000540001000040${proto}0000c0a80001c0a80002${rest}`;
const ip6 = (next: string, rest: string): string =>
  `600123450040${next}4020010db800000000000000000000000120010db8000000000000000000000002${rest}`;
const TCP = "d903005000000001000000028018ffff000000000101080a00000001000000020303";
const UDP = "d9030035001000001122334455667788";
/** What a network carries, more or less. */
const MIX: readonly string[] = [
  `${ETHER}0800${ip4("06", TCP)}`,
  `${ETHER}0800${ip4("11", UDP)}`,
  `${ETHER}86dd${ip6("06", TCP)}`,
  `${ETHER}8100a0640800${ip4("06", TCP)}`,
  `${ETHER}0800${ip4("2f", `2000080000000007${ip4("06", TCP)}`)}`,
  `${ETHER}0800${ip4("01", "0800000000070001aabbccdd")}`,
  `${ETHER}0800${ip4("04", ip4("11", UDP))}`,
];
const packets = Array.from({ length: COUNT }, (_, i) =>
  Uint8Array.from(Buffer.from(MIX[(i * 5 + (i >> 3)) % MIX.length]!, "hex")),
);
const parser = shippedParser("big");

const ENGINES: Readonly<Record<string, TcamLimits>> = {
  "tcam, ideal": TCAM_IDEAL,
  "tcam, 40-byte window, 64-bit keys": {
    ...TCAM_IDEAL,
    window: 40,
    keyBits: 64,
    ops: 8,
    bytesPerStep: 16,
  },
  "tcam, 4-byte window, one step": { ...TCAM_IDEAL, window: 4, keyBits: 32, ops: 1, bytesPerStep: 4 },
};

/** All codes of the mix as one number. */
const folded = (codes: (i: number) => number): number => {
  let sum = 0;
  for (let i = 0; i < COUNT; i++) sum = (Math.imul(sum, 31) + codes(i)) | 0;
  return sum;
};

const interpreter = new Interpreter(parser);
const wasm = orThrow(WasmParser.create(parser, COUNT));
for (const p of packets) wasm.add(p);
wasm.fill(0);
const rows: Record<string, Row> = {
  "wasm, batch": jsRow(() => {
    wasm.run();
    return folded((i) => wasm.outcome(i).code);
  }),
  interpreter: jsRow(() => folded((i) => interpreter.run(packets[i]!))),
};
console.log("big parser on engines: entries, states, states of a packet on the mix");
for (const [name, limits] of Object.entries(ENGINES)) {
  const { text, report: takes } = orThrow(compileTcam(parser, limits));
  const engine = orThrow(TcamEngine.load(text));
  rows[name] = jsRow(() => folded((i) => engine.run(packets[i]!)));
  let steps = 0;
  for (const p of packets) {
    engine.run(p);
    steps += engine.steps;
  }
  console.log(`${name}: ${takes.total.entries}, ${takes.total.states}, ${(steps / COUNT).toFixed(1)}`);
}
const timing = await time(
  rows,
  folded((i) => interpreter.run(packets[i]!)),
);
for (const name of Object.keys(rows))
  console.log(`${name.padEnd(36)} ${(timing.ns(name) / COUNT).toFixed(0).padStart(6)} ns a packet`);
// a model of hardware: its states and rows are looked up one by one, which costs what it costs
report("tcam on an ideal engine over the interpreter", timing.ratio("tcam, ideal", "interpreter"), GOAL);
finish();
