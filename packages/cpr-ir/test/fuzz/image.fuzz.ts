/**
 * Damaged images for NETOFFLOAD_FUZZ_SECONDS (default 60), as they are and with length and digest made right again.
 * Nothing throws; what is refused is refused with a reason, and what reads well holds programs whose bytes have the
 * hash that the image names.
 * Run: npx tsx --conditions=@netoffload/source packages/cpr-ir/test/fuzz/image.fuzz.ts
 * NETOFFLOAD_SEED repeats a run.
 */
import { readFileSync } from "node:fs";
import {
  compileNpu,
  hashProgram,
  IR_KIND,
  orThrow,
  readImage,
  seal,
  TARGET,
  writeImage,
} from "../../src/index.ts";
import { Random } from "../targets/generate.ts";
import { damage } from "./damage.ts";

const seconds = Number(process.env.NETOFFLOAD_FUZZ_SECONDS ?? 60);
const seed = Number(process.env.NETOFFLOAD_SEED ?? Date.now() & 0x7fffffff);
const random = new Random(seed);
const counts = { images: 0, read: 0 };

const file = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, import.meta.url)));

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
  const input = damage(random, good);
  try {
    image(input);
    let found = true;
    try {
      seal(input);
    } catch {
      // too damaged to find the note
      found = false;
    }
    if (found) image(input);
  } catch (error) {
    console.error(`${Buffer.from(input).toString("hex")}\n`, error);
    process.exit(1);
  }
}
console.log(JSON.stringify(counts));
// a run that got nowhere shows nothing
for (const [what, n] of Object.entries(counts)) if (n === 0) throw new Error(`no ${what} in ${seconds} s`);
