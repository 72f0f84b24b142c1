/**
 * Damaged modules for NETOFFLOAD_FUZZ_SECONDS (default 60). Nothing throws; V8 is the judge of what is
 * WebAssembly: whatever we take it takes, and what it takes we refuse only for the profile or a limit. What keeps the
 * profile has a canonical form, the same again, and compiles or is refused with a reason.
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
  orThrow,
} from "../../src/index.ts";
import { bytesOf, Random, randomProgram } from "../targets/generate.ts";
import { damage } from "./damage.ts";

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
const counts = { modules: 0, kept: 0, compiled: 0 };

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

console.log(`seed ${seed}, ${seconds} s`);
const end = Date.now() + seconds * 1000;
while (Date.now() < end) {
  const input = damage(random, random.pick(modules));
  try {
    module(input);
  } catch (error) {
    console.error(`${Buffer.from(input).toString("hex")}\n`, error);
    process.exit(1);
  }
}
console.log(JSON.stringify(counts));
// a run that got nowhere shows nothing
for (const [what, n] of Object.entries(counts)) if (n === 0) throw new Error(`no ${what} in ${seconds} s`);
