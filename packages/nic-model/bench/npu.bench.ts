// The NPU beside an interpreter in TypeScript whose registers are two halves: tx_csum and rx_csum over a mix of
// packets. Run on the built packages: npx tsx packages/nic-model/bench/npu.bench.ts
import { compileNpu, orThrow } from "@netoffload/cpr-ir";
import { rxCsum, txCsum } from "@netoffload/csum";
import { DeviceMemory, Npu } from "@netoffload/nic-model";
import { type Accel1, accel1Module, SK_BUFF_OFF as O } from "@netoffload/skbuff";
import { runEbpf } from "../../cpr-ir/test/ref/ebpf-interp.ts";
import { finish, type Row, report, time } from "../../csum/bench/harness.ts";
import { Halves, type Unit } from "../test/ref/halves.ts";

const MEMORY = 4 << 20;
const SKBS = 256;
const PARTIAL = 3;
/** TCP over IPv4 over Ethernet. */
const START = 34;
const OFFSET = 16;
/** Fragments of the packets in turn: linear ones as on a wire, and some of a stack's larger ones. */
const FRAGS = [0, 0, 0, 0, 0, 1, 3, 16];
const FRAG_BYTES = 61;

const npu = Npu.create({ memoryBytes: MEMORY });
const programs = [txCsum, rxCsum].map((p) => {
  const { text, data } = orThrow(compileNpu(p.ir(), { functionNumber: p.functionNumber }));
  for (const d of data) npu.bytes.set(d.bytes, d.address);
  if (!npu.load(0, p.functionNumber, text).ok) throw new Error(`${p.name} is refused`);
  return { name: p.name, fn: p.functionNumber, text };
});

/** Headers and some payload: what the units do is small beside what the programs do. */
function packets(): Uint32Array {
  const memory = new DeviceMemory(npu, true);
  memory.reset();
  const pattern = (at: number, n: number, seed: number): void => {
    for (let k = 0; k < n; k++) npu.bytes[at + k] = seed * 37 + k * 11;
  };
  return new Uint32Array(SKBS).map((_, i) => {
    const linear = 54 + ((7 * i) & 63);
    const head = memory.take(linear + 240, i & 15);
    pattern(head, linear, i);
    const skb = memory.skb(head, linear, head, linear);
    for (let f = 0; f < FRAGS[i % FRAGS.length]!; f++) {
      const at = memory.take(FRAG_BYTES, f & 15);
      pattern(at, FRAG_BYTES, i + f);
      memory.frag(skb, at, FRAG_BYTES);
    }
    return skb;
  });
}
const skbs = packets();

/** Packets in one memory: put back before each run, and what is left of them afterwards as one number. */
class Packets {
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** What a descriptor asks for; the field holds the seed again. */
  restore(): void {
    const view = this.#view;
    for (const skb of skbs) {
      view.setUint32(skb + O.flags, PARTIAL, true);
      view.setUint16(skb + O.csumStart, START, true);
      view.setUint16(skb + O.csumOffset, OFFSET, true);
      view.setUint16(view.getUint32(skb + O.data, true) + START + OFFSET, 0x1234, true);
    }
  }

  digest(): number {
    const view = this.#view;
    let sum = 0;
    for (const skb of skbs) {
      const field = view.getUint16(view.getUint32(skb + O.data, true) + START + OFFSET, true);
      sum = (Math.imul(sum, 31) + field) | 0;
      sum = (Math.imul(sum, 31) + view.getUint32(skb + O.csum, true)) | 0;
      sum = (Math.imul(sum, 31) + view.getUint32(skb + O.flags, true)) | 0;
    }
    return sum;
  }
}

/** A row: all packets through both programs; restoring them is not timed. */
function row(bytes: Uint8Array, run: (fn: number) => void): Row {
  const mine = new Packets(bytes);
  return (iterations) => {
    let ns = 0;
    let result = 0;
    for (let i = 0; i < iterations; i++) {
      result = 0;
      for (const { fn } of programs) {
        mine.restore();
        const start = process.hrtime.bigint();
        run(fn);
        ns += Number(process.hrtime.bigint() - start);
        result = (Math.imul(result, 31) + mine.digest()) | 0;
      }
    }
    return { ns, result };
  };
}

// the interpreter's memory, with units of its own over it
const pages = new WebAssembly.Memory({ initial: MEMORY / 65536, maximum: MEMORY / 65536 });
const memory = new Uint8Array(pages.buffer);
memory.set(npu.bytes);
const accel1 = new WebAssembly.Instance(accel1Module(), { env: { memory: pages } })
  .exports as unknown as Accel1 & { init(): void };
accel1.init();
const units: Unit[] = [() => 0, (ptr, len, sum) => accel1.csum_partial(ptr, len, sum)];
const halves = new Map(programs.map(({ fn, text }) => [fn, new Halves(text, memory, units)]));

/** The slow oracle says what must come out, and how many instructions that takes. */
function oracle(): { expected: number; instructions: Map<string, number> } {
  const bytes = npu.bytes.slice();
  const mine = new Packets(bytes);
  const helpers = { 1: (ptr: number, len: number, sum: number): number => slowSum(bytes, ptr, len, sum) };
  const instructions = new Map<string, number>();
  let expected = 0;
  for (const { name, text } of programs) {
    mine.restore();
    let count = 0;
    for (const skb of skbs) count += runEbpf(text, bytes, [skb], { helpers }).instructions;
    instructions.set(name, count);
    expected = (Math.imul(expected, 31) + mine.digest()) | 0;
  }
  return { expected, instructions };
}

function slowSum(bytes: Uint8Array, ptr: number, len: number, seed: number): number {
  let sum = seed;
  for (let i = 0; i < len; i++) sum += bytes[ptr + i]! << (i & 1 ? 8 : 0);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

const { expected, instructions } = oracle();
const timing = await time(
  {
    npu: row(npu.bytes, (fn) => void npu.runBatch(0, fn, skbs, SKBS)),
    halves: row(memory, (fn) => {
      const interpreter = halves.get(fn)!;
      for (let i = 0; i < SKBS; i++) interpreter.run(skbs[i]!, 0, 0);
    }),
  },
  expected,
);

for (const [name, count] of instructions)
  console.log(`${name}: ${(count / SKBS).toFixed(1)} instructions a packet (${SKBS} packets)`);
const total = [...instructions.values()].reduce((a, b) => a + b);
const perInstruction = (name: string): number => timing.ns(name) / total;
// units are part of both: what is demanded leaves them out
for (const name of ["npu", "halves"])
  console.log(`${name}: ${perInstruction(name).toFixed(2)} ns an instruction, units included`);
report("NPU: 4 ns an instruction over measured", 4 / perInstruction("npu"), 1);
report("NPU over two halves in TypeScript", timing.ratio("npu", "halves"), 2);
finish();
