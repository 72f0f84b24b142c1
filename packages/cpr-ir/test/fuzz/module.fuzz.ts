/**
 * Damaged modules and images for NETOFFLOAD_FUZZ_SECONDS (default 60). Nothing throws; V8 is the judge of what is
 * WebAssembly: whatever we take it takes, and what it takes we refuse only for the profile or a limit. What keeps the
 * profile has a canonical form, the same again, and compiles or is refused with a reason. An image that reads well
 * holds programs whose bytes have the hash it names.
 * Run: npx tsx --conditions=@netoffload/source packages/cpr-ir/test/fuzz/module.fuzz.ts
 * NETOFFLOAD_SEED repeats a run.
 */
import { readFileSync } from "node:fs";
import {
  canonicalModule,
  checkProfile,
  compileNpu,
  decodeInsns,
  decodeModule,
  hashProgram,
  IR_KIND,
  orThrow,
  readImage,
  seal,
  TARGET,
  writeImage,
} from "../../src/index.ts";
import { bytesOf, Random, randomProgram } from "../targets/generate.ts";

const seconds = Number(process.env.NETOFFLOAD_FUZZ_SECONDS ?? 60);
const seed = Number(process.env.NETOFFLOAD_SEED ?? Date.now() & 0x7fffffff);
const random = new Random(seed);

const file = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, import.meta.url)));
const modules = [
  file("../../../csum/ir/tx_csum.wasm"),
  file("../../../csum/ir/rx_csum.wasm"),
  file("../fixtures/c/fletcher.wasm"),
  file("../fixtures/c/classify.wasm"),
  ...Array.from({ length: 12 }, (_, n) => bytesOf(randomProgram(900 + n, 30))),
];

/** Codes with which a module is refused that WebAssembly may well take. */
const OURS = new Set(["profile", "limit"]);
const counts = { modules: 0, kept: 0, compiled: 0, images: 0, read: 0 };

/** A few bytes changed, cut, doubled or put in: at places that structure gives as often as anywhere. */
function damage(bytes: Uint8Array): Uint8Array {
  let out = bytes.slice();
  for (let n = random.below(4); n >= 0; n--) {
    const at = random.below(out.length);
    switch (random.below(8)) {
      case 0:
        out = out.slice(0, at);
        break;
      case 1:
        out = Uint8Array.from([...out.subarray(0, at), random.below(256), ...out.subarray(at)]);
        break;
      case 2:
        out = Uint8Array.from([...out.subarray(0, at), ...out.subarray(at + 1)]);
        break;
      case 3:
        out.copyWithin(at, random.below(out.length), random.below(out.length));
        break;
      case 4:
        out[at]! ^= 1 << random.below(8);
        break;
      default:
        out[at] = random.pick([0, 1, 0x0b, 0x20, 0x40, 0x6a, 0x7e, 0x7f, 0x80, 0xff, random.below(256)]);
    }
    if (out.length === 0) return out;
  }
  return out;
}

function module(bytes: Uint8Array): void {
  counts.modules++;
  const decoded = decodeModule(bytes);
  const valid = WebAssembly.validate(bytes as never);
  if (decoded.ok && !valid) throw new Error("we take what V8 does not");
  if (!decoded.ok) {
    if (valid && decoded.diagnostics.some((d) => !OURS.has(d.code)))
      throw new Error(`V8 takes it, we say ${JSON.stringify(decoded.diagnostics)}`);
    return;
  }
  const canonical = orThrow(canonicalModule(bytes));
  if (!WebAssembly.validate(canonical as never)) throw new Error("the canonical form is no module");
  if (Buffer.compare(canonical, orThrow(canonicalModule(canonical))) !== 0)
    throw new Error("the canonical form has another");
  if (checkProfile(decoded.value).length > 0) return;
  counts.kept++;
  const compiled = compileNpu(canonical, { functionNumber: 1 });
  if (!compiled.ok) return;
  counts.compiled++;
  orThrow(decodeInsns(compiled.value.text));
}

const good = writeImage({
  programs: (
    [
      ["tx_csum", 1],
      ["rx_csum", 2],
    ] as const
  ).map(([name, functionNumber]) => {
    const ir = file(`../../../csum/ir/${name}.wasm`);
    const { text, resources } = orThrow(compileNpu(ir, { functionNumber }));
    return { name, functionNumber, target: TARGET.npu, irKind: IR_KIND.wasm, ir, text, resources };
  }),
});

function image(bytes: Uint8Array): void {
  counts.images++;
  const read = readImage(bytes);
  if (!read.ok) {
    if (read.diagnostics.length === 0) throw new Error("refused without a reason");
    return;
  }
  counts.read++;
  for (const p of read.value.programs)
    if (p.sha256 !== hashProgram(p.ir).sha256) throw new Error("an image lies about a hash");
}

console.log(`seed ${seed}, ${seconds} s`);
const end = Date.now() + seconds * 1000;
while (Date.now() < end) {
  const input = damage(random.below(12) === 0 ? good : random.pick(modules));
  try {
    if (input[0] !== 0x7f) module(input);
    else {
      image(input);
      try {
        seal(input);
      } catch {
        continue;
      }
      image(input);
    }
  } catch (error) {
    console.error(`${Buffer.from(input).toString("hex")}\n`, error);
    process.exit(1);
  }
}
console.log(JSON.stringify(counts));
// a run that got nowhere shows nothing
for (const [what, n] of Object.entries(counts)) if (n === 0) throw new Error(`no ${what} in ${seconds} s`);
