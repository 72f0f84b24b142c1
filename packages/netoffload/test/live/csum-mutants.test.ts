import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canonicalModule, hashProgram } from "@netoffload/cpr-ir";
import { KernelChecksum } from "@netoffload/linux";
import asc from "assemblyscript/asc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CsumCompare } from "../../src/live/csum-compare.ts";
import { minimise } from "../../src/live/csum-minimise.ts";
import { diffLine, readReplay } from "../../src/live/csum-report.ts";
import { CsumSubject } from "../../src/live/csum-subject.ts";
import { findProgram, type Program } from "../../src/programs.ts";
import { CSUM_MUTANTS, type SourceMutant } from "./csum-mutants.ts";
import { live } from "./facility.ts";

const packages = fileURLToPath(new URL("../../..", import.meta.url));
/** A mutant must be found among so many packets. */
const WITHIN = 5000;
const CASES = 100;
const SEED = 20;

/** Flags of an offload program; the memory's base follows from its function number (ABI 1). */
const FLAGS =
  "-O3 --runtime stub --noAssert --use abort= --importMemory --noExportMemory --disable nontrapping-f2i --initialMemory 16";

/** Compile a program with one place of its sources changed. */
async function build({ program, file, find, replace }: SourceMutant): Promise<Program> {
  const original = readFileSync(join(packages, file), "utf8");
  expect(original.split(find).length, `${file}: ${find}`).toBe(2);
  const shipped = findProgram(program);
  let binary: Uint8Array | null = null;
  let said = "";
  const base = String(0x1_0000 + 0x1_0000 * shipped.functionNumber + 16);
  const { error } = await asc.main(
    [`csum/program/${program}.ts`, ...FLAGS.split(" "), "--memoryBase", base, "--outFile", "out.wasm"],
    {
      stderr: {
        write(text: string): boolean {
          said += text;
          return true;
        },
      },
      readFile: (name) => {
        if (name === file) return original.replace(find, () => replace);
        const path = join(packages, name);
        return existsSync(path) && statSync(path).isFile() ? readFileSync(path, "utf8") : null;
      },
      writeFile: (_name, contents) => {
        binary = contents as Uint8Array;
      },
    },
  );
  if (error !== null || binary === null) throw new Error(`${error?.message} ${said}`);
  const canonical = canonicalModule(binary);
  if (!canonical.ok) throw new Error(canonical.diagnostics[0]!.message);
  return { ...shipped, ir: canonical.value, ...hashProgram(canonical.value) };
}

const subject = (changed: Program | null): CsumSubject => {
  const pick = (name: string): Program => (changed?.name === name ? changed : findProgram(name));
  return new CsumSubject({ tx: pick("tx_csum"), rx: pick("rx_csum") });
};

describe.runIf(live)("mutants of the checksum programs", () => {
  let kernel: KernelChecksum;
  beforeAll(async () => {
    kernel = await KernelChecksum.open();
  });
  afterAll(async () => {
    await kernel.close();
  });

  it("there are enough, and each is another program", async () => {
    expect(CSUM_MUTANTS.length).toBeGreaterThanOrEqual(25);
    for (const program of ["tx_csum", "rx_csum"] as const) {
      const same = {
        name: "none",
        program,
        file: `csum/program/${program}.ts`,
        find: "skbAt(address)",
        replace: "skbAt(address)",
      };
      expect((await build(same)).sha256).toBe(findProgram(program).sha256);
    }
    expect(new Set(CSUM_MUTANTS.map((m) => `${m.program} ${m.name}`)).size).toBe(CSUM_MUTANTS.length);
  });

  it("the programs themselves differ nowhere in as many packets", async () => {
    const compare = new CsumCompare(kernel, subject(null), SEED);
    while (compare.totals.sent < WITHIN) expect(await compare.step(compare.draw(CASES))).toEqual([]);
  });

  for (const mutant of CSUM_MUTANTS)
    it(`${mutant.program}: ${mutant.name}`, async () => {
      const changed = await build(mutant);
      expect(changed.sha256).not.toBe(findProgram(mutant.program).sha256);
      const compare = new CsumCompare(kernel, subject(changed), SEED);
      const found = [];
      while (found.length === 0 && compare.totals.sent < WITHIN)
        found.push(...(await compare.step(compare.draw(CASES))));
      expect(found.length, `not found within ${compare.totals.sent} packets`).toBeGreaterThan(0);
      const packets = compare.totals.sent;
      expect(packets).toBeLessThanOrEqual(WITHIN);
      expect(found[0]!.program).toBe(mutant.program);

      const least = await minimise(compare, found[0]!);
      const line = JSON.stringify(diffLine(least));
      // the line alone, which is one frame and its probe, shows the fault again; the right program has none
      const replayed = readReplay(line, "line");
      expect(replayed).toHaveLength(1);
      const sentBefore = compare.totals.sent;
      expect(await compare.step(replayed)).toMatchObject([{ program: mutant.program }]);
      expect(compare.totals.sent - sentBefore).toBeLessThanOrEqual(2);
      expect(await new CsumCompare(kernel, subject(null), SEED).step(replayed)).toEqual([]);
      console.log(
        `${mutant.program} ${mutant.name}: within ${packets} packets; ${found[0]!.case.frame.length} -> ` +
          `${least.case.frame.length} bytes: ${least.what}`,
      );
    });
});
