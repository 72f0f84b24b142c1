/**
 * Random and damaged code for the NPU, for NETOFFLOAD_FUZZ_SECONDS (default 60). Nothing throws and nothing hangs:
 * code is refused by name, or runs to its end, a trap or the watchdog. Code made of instructions that exist does the
 * same as the interpreter of two halves, which shares nothing with the engine: result, trap, memory, instructions.
 * And a good program beside all of it runs on.
 * Run: npx tsx --conditions=@netoffload/source packages/nic-model/test/fuzz/npu.fuzz.ts
 * NETOFFLOAD_SEED repeats a run.
 */
import { encodeInsns, type Insn } from "@netoffload/cpr-ir";
import { Random } from "../../../cpr-ir/test/targets/generate.ts";
import { Npu } from "../../src/index.ts";
import { Halves } from "../ref/halves.ts";
import { PROGRAMS } from "../rig.ts";

const seconds = Number(process.env.NETOFFLOAD_FUZZ_SECONDS ?? 60);
const seed = Number(process.env.NETOFFLOAD_SEED ?? Date.now() & 0x7fffffff);
const random = new Random(seed);

const MEMORY = 2 << 20;
const BUDGET = 2000;
/** Where the code finds its operands; compared afterwards. */
const AT = 0x10_0000;
const BYTES = 256;
/** A run of so few instructions that takes longer hangs. */
const HANG_MS = 2000;

const npu = Npu.create({ memoryBytes: MEMORY, budget: BUDGET });
const memory = npu.bytes.slice();
/** The code of this round. */
let text: Uint8Array = new Uint8Array(0);
const counts = { refused: 0, ran: 0, compared: 0, trapped: 0, stopped: 0 };

const insn = (op: number, fields: Partial<Insn> = {}): Insn => ({
  op,
  dst: 0,
  src: 0,
  off: 0,
  imm: 0,
  ...fields,
});
const IMMEDIATES = [0, 1, -1, 7, 8, 31, 32, 63, 0xff, 0x7fffffff, -0x80000000];
const immediate = (): number =>
  random.below(2) === 0 ? random.pick(IMMEDIATES) : (random.below(2 ** 31) * 2) | 0;

/** One instruction that exists, at `at` of `length`; r1 stays the address of the operands, mostly. */
function existing(at: number, length: number): Insn {
  const dst = random.pick([0, 2, 3, 4, 5, 6, 7, 8, 9]);
  const src = random.below(10);
  const jump = { off: random.below(length) - at };
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2: {
      const kind = random.pick([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]);
      const off = (kind === 3 || kind === 9) && random.below(2) === 0 ? 1 : 0;
      const wide = random.pick([4, 7]);
      if (random.below(2) === 0) return insn((kind << 4) | 8 | wide, { dst, src, off });
      const imm = immediate();
      return insn((kind << 4) | wide, { dst, off, imm: kind === 3 || kind === 9 ? imm || 3 : imm });
    }
    case 3:
      return random.below(2) === 0
        ? insn(0xd7, { dst, imm: random.pick([16, 32, 64]) })
        : insn(random.pick([0x84, 0x87]), { dst });
    case 4:
      return insn(random.pick([0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91]), {
        dst,
        src: random.below(20) === 0 ? src : 1,
        off: random.below(BYTES - 8),
      });
    case 5:
      return insn(random.pick([0x63, 0x6b, 0x73, 0x7b]), {
        dst: random.below(20) === 0 ? dst : 1,
        src,
        off: random.below(BYTES - 8),
      });
    case 6: {
      const kind = random.pick([1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13]);
      const wide = random.pick([5, 6]);
      return random.below(2) === 0
        ? insn((kind << 4) | 8 | wide, { dst, src, ...jump })
        : insn((kind << 4) | wide, { dst, imm: immediate(), ...jump });
    }
    default:
      return random.below(6) === 0 ? insn(0x05, jump) : insn(0x18, { dst, imm64: BigInt(immediate()) });
  }
}

function fill(): void {
  for (let i = 0; i < BYTES; i++) memory[AT + i] = random.below(256);
  npu.bytes.set(memory.subarray(AT, AT + BYTES), AT);
}

/** Code of instructions that exist, in the engine and in the interpreter. */
function compared(): void {
  const length = 4 + random.below(30);
  const insns = Array.from({ length: 10 }, (_, r) => r)
    .filter((r) => r !== 1)
    .map((dst) => insn(0xb7, { dst, imm: immediate() }));
  // a 64-bit immediate takes two places; a jump may land in it, and is refused then
  for (let at = 0; at < length; at++) insns.push(existing(at, length));
  text = encodeInsns([...insns, insn(0x95)]);
  npu.clear(0);
  if (!npu.load(0, 1, text).ok) {
    counts.refused++;
    return;
  }
  fill();
  const run = npu.run(0, 1, [AT]);
  const halves = new Halves(text, memory, []);
  const ret = halves.run(AT, 0, 0, BUDGET);
  const trap = Npu.trapName(halves.trap);
  if (run.trap !== trap) throw new Error(`engine ${run.trap}, interpreter ${trap}`);
  counts.compared++;
  if (trap === "NONE") {
    if (run.ret !== ret) throw new Error(`engine ${run.ret}, interpreter ${ret}`);
    if (run.instructions !== halves.instructions)
      throw new Error(`engine ${run.instructions} instructions, interpreter ${halves.instructions}`);
    if (Buffer.compare(npu.bytes.subarray(AT, AT + BYTES), memory.subarray(AT, AT + BYTES)) !== 0)
      throw new Error("memory differs");
  } else {
    if (trap === "BUDGET") counts.stopped++;
    else counts.trapped++;
    // after a trap memory is not compared
    memory.set(npu.bytes);
  }
}

/** The code of our programs, bytes changed; or bytes at random. */
function wild(): void {
  text =
    random.below(4) === 0
      ? Uint8Array.from({ length: 8 * (1 + random.below(12)) }, () => random.below(256))
      : random.pick(PROGRAMS).text.slice();
  for (let n = random.below(6); n >= 0; n--) {
    const at = random.below(text.length);
    text[at] = random.below(2) === 0 ? text[at]! ^ (1 << random.below(8)) : random.below(256);
  }
  npu.clear(0);
  const loaded = npu.load(0, 1, text);
  if (!loaded.ok) {
    counts.refused++;
    if (!loaded.message.startsWith("instruction ")) throw new Error(loaded.message);
    return;
  }
  fill();
  npu.run(0, 1, [AT, random.below(2 ** 31), random.below(MEMORY)]);
  counts.ran++;
  // it may have written anywhere, and later code reads anywhere
  memory.set(npu.bytes);
}

/** Adds the two words at r1. */
const GOOD = encodeInsns([
  insn(0x61, { dst: 0, src: 1 }),
  insn(0x61, { dst: 2, src: 1, off: 4 }),
  insn(0x0c, { dst: 0, src: 2 }),
  insn(0x95),
]);
if (!npu.load(1, 2, GOOD).ok) throw new Error("the good program is refused");

console.log(`npu: seed ${seed}, ${seconds} s`);
const end = Date.now() + seconds * 1000;
while (Date.now() < end) {
  const began = Date.now();
  try {
    if (random.below(3) === 0) wild();
    else compared();
    npu.view.setInt32(AT, 40, true);
    npu.view.setInt32(AT + 4, 2, true);
    if (npu.run(1, 2, [AT]).ret !== 42) throw new Error("the good program does not run on");
    if (Date.now() - began > HANG_MS) throw new Error(`took ${Date.now() - began} ms`);
  } catch (error) {
    console.error(`${Buffer.from(text).toString("hex")}\n`, error);
    process.exit(1);
  }
}
console.log(JSON.stringify(counts));
// a run that got nowhere shows nothing
for (const [what, n] of Object.entries(counts))
  if (n === 0) throw new Error(`nothing ${what} in ${seconds} s`);
