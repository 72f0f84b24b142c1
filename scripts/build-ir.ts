// `npm run ir`: rebuilds packages/*/ir/<name>.wasm and packages/*/ir/HASHES from the programs' sources.
//   --check  compares instead of writing: exit code 1 and every drift by name
//   --keep   a program that changed keeps its former IR beside the new one (always, once it has been published)
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hashProgram } from "../packages/cpr-ir/src/index.ts";
import {
  buildProgram,
  currentLine,
  type HashLine,
  listPrograms,
  printHashes,
  readHashes,
  supersededFile,
  toIr,
} from "./ir.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const check = process.argv.includes("--check");
const keep = process.argv.includes("--keep");
const unknown = process.argv.slice(2).filter((a) => a !== "--check" && a !== "--keep");
if (unknown.length > 0) {
  process.stderr.write(`ir: unknown option ${unknown[0]}; expected --check or --keep\n`);
  process.exit(2);
}

const faults: string[] = [];
const packagesDir = join(root, "packages");
const programs = listPrograms(packagesDir);

for (const pkg of [...new Set(programs.map((p) => p.pkg))]) {
  const dir = join(packagesDir, pkg, "ir");
  const where = `packages/${pkg}/ir`;
  const hashesFile = join(dir, "HASHES");
  const recorded = existsSync(hashesFile) ? readHashes(readFileSync(hashesFile, "utf8")) : [];
  const lines: HashLine[] = [];
  for (const program of programs.filter((p) => p.pkg === pkg)) {
    const built = await buildProgram(root, program);
    if (!built.ok) {
      faults.push(...built.problems.map((p) => `${pkg}/${program.name}: ${p}`));
      continue;
    }
    const file = join(dir, `${program.name}.wasm`);
    const committed = existsSync(file) ? new Uint8Array(readFileSync(file)) : null;
    const had = committed === null ? "nothing" : hashProgram(committed).sha256;
    const earlier = recorded.filter((l) => l.name === program.name && l.file !== `${program.name}.wasm`);
    process.stdout.write(
      `${program.name} ${built.sha256} ${built.ir.length} bytes${had === built.sha256 ? "" : ` (was ${had})`}\n`,
    );
    if (check && had !== built.sha256)
      faults.push(`${where}/${program.name}.wasm: committed ${had}, the source gives ${built.sha256}`);
    if (!check && committed !== null && had !== built.sha256 && keep) {
      const old = recorded.find((l) => l.name === program.name && l.sha256 === had);
      const name = supersededFile(program.name, had);
      writeFileSync(join(dir, name), committed);
      earlier.push({ name: program.name, sha256: had, file: name, compiler: old?.compiler ?? "unknown 0" });
    }
    if (!check) {
      mkdirSync(dir, { recursive: true });
      if (had !== built.sha256) writeFileSync(file, built.ir);
    }
    lines.push(...earlier, currentLine(program.name, built.sha256));
    // earlier programs stay what they were
    for (const line of earlier) {
      const path = join(dir, line.file);
      if (!existsSync(path)) {
        faults.push(`${where}/HASHES: ${line.file} is missing`);
        continue;
      }
      const ir = toIr(new Uint8Array(readFileSync(path)), program.functionNumber);
      if (!ir.ok) faults.push(...ir.problems.map((p) => `${where}/${line.file}: ${p}`));
      else if (ir.sha256 !== line.sha256)
        faults.push(`${where}/${line.file}: is ${ir.sha256}, HASHES says ${line.sha256}`);
    }
  }
  const listed = new Set(lines.map((l) => l.file));
  for (const file of existsSync(dir) ? readdirSync(dir) : [])
    if (file.endsWith(".wasm") && !listed.has(file)) faults.push(`${where}/${file}: not in HASHES`);
  const text = printHashes(lines);
  if (!check && faults.length === 0) writeFileSync(hashesFile, text);
  else if (!existsSync(hashesFile) || readFileSync(hashesFile, "utf8") !== text)
    faults.push(`${where}/HASHES: differs from what the sources give`);
}

for (const fault of faults) process.stderr.write(`ir: ${fault}\n`);
if (faults.length > 0) process.exit(1);
process.stdout.write(
  check ? "the committed IR is what the sources give\n" : "run the build to take the IR into src/generated\n",
);
