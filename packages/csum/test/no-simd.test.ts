/**
 * On an engine without 128-bit SIMD the scalar modules of the same sources run. V8 has no SIMD where the processor has
 * no SSE4.1, and can be told that it has not.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { facility } from "../../internal/test/facility.ts";
import { slowChecksum } from "./ref/slow.ts";

const FLAG = "--no-enable-sse4-1";
const packageRoot = fileURLToPath(new URL("..", import.meta.url));

function run(flags: readonly string[], code: string): unknown {
  const done = spawnSync(
    process.execPath,
    [...flags, "--conditions=@netoffload/source", "--import", "tsx", "--input-type=module", "-e", code],
    { cwd: packageRoot, encoding: "utf8" },
  );
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout);
}

const CODE = `
  import { Memory, simdSupported } from "@netoffload/skbuff";
  import { checkPacket, csumPartial, internetChecksum, updateChecksum } from "@netoffload/csum";
  const bytes = Uint8Array.from({ length: 9001 }, (_, i) => (i * 7919 + (i >> 5)) & 255);
  const memory = Memory.create({ bytes: 4 << 20 });
  const at = memory.alloc(9001);
  memory.bytes.set(bytes, at);
  const lengths = [0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 1460, 9000, 9001];
  const header = Uint8Array.from(Buffer.from("45000073000040004011b861c0a80001c0a800c7", "hex"));
  console.log(JSON.stringify({
    simd: simdSupported(),
    sums: lengths.map((n) => internetChecksum(bytes.subarray(0, n))),
    inMemory: lengths.map((n) => csumPartial(memory, at, n)),
    updated: updateChecksum(0xb861, Uint8Array.of(0x40, 0x11), Uint8Array.of(0x3f, 0x11)),
    verdict: checkPacket(header, { linkType: 101 })[0].verdict,
  }));
`;

const x64 = facility("an x64 processor", process.arch === "x64", "V8's flag exists there only");

test.runIf(x64)("without SIMD all results stay the same", () => {
  const without = run([FLAG], CODE) as Record<string, unknown>;
  expect(without.simd).toBe(false);
  expect(without).toEqual({ ...(run([], CODE) as object), simd: false });
  const bytes = Uint8Array.from({ length: 9001 }, (_, i) => (i * 7919 + (i >> 5)) & 255);
  const lengths = [0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 1460, 9000, 9001];
  expect(without.sums).toEqual(lengths.map((n) => slowChecksum(bytes.subarray(0, n))));
  expect(without.updated).toBe(0xb961);
  expect(without.verdict).toBe("ok");
});
