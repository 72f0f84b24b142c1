// What a question to the kernel costs: a system call through koffi beside Node's own, and a frame through
// KernelChecksum, both taps and the bridge, in units of that system call. As root: npm run bench -- linux
import { closeSync, openSync, readSync } from "node:fs";
import { KernelChecksum, libc } from "@netoffload/linux";

const ROUNDS = 15;
const READS = 20_000;
const FRAMES = 2_000;
const UDP_START = 34;
const UDP_CHECK = 6;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Nanoseconds of one of n. */
async function each(n: number, run: () => Promise<void> | void): Promise<number> {
  const began = process.hrtime.bigint();
  await run();
  return Number(process.hrtime.bigint() - began) / n;
}

const zero = openSync("/dev/zero", "r");
const buffer = new Uint8Array(64).fill(1);
const system = libc();
/** UDP in IPv4 with a checksum of its own for every number. */
const frames = Array.from({ length: FRAMES }, (_, i) => {
  const f = new Uint8Array(64);
  f.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45]);
  f.set([i >> 8, i & 255], 50);
  return f;
});

const kernel = await KernelChecksum.open();
const rows: Record<"node" | "koffi" | "frame", number[]> = { node: [], koffi: [], frame: [] };
for (let round = -3; round < ROUNDS; round++) {
  const node = await each(READS, () => {
    for (let i = 0; i < READS; i++) if (readSync(zero, buffer, 0, 64, null) !== 64) throw new Error("read");
  });
  const koffi = await each(READS, () => {
    for (let i = 0; i < READS; i++) if (system.read(zero, buffer) !== 64) throw new Error("read");
  });
  const frame = await each(FRAMES, async () => {
    for (const f of frames) kernel.add(f, UDP_START, UDP_CHECK);
    const { returned, results } = await kernel.run();
    if (returned !== FRAMES) throw new Error(`${returned} of ${FRAMES} frames came back`);
    // all bytes but the frame's number are the same: so is the sum of number and checksum
    const sums = new Set(
      results.map((r) => {
        if (r.outcome !== "returned") throw new Error(r.outcome);
        const v = new DataView(r.frame.buffer, r.frame.byteOffset);
        return (v.getUint16(40) + v.getUint16(50)) % 0xffff;
      }),
    );
    if (sums.size !== 1) throw new Error(`${sums.size} different sums`);
  });
  if (round < 0) continue;
  rows.node.push(node);
  rows.koffi.push(koffi);
  rows.frame.push(frame);
}
const release = kernel.kernel;
await kernel.close();
closeSync(zero);

const [node, koffi, frame] = [median(rows.node), median(rows.koffi), median(rows.frame)];
console.log(`Linux ${release}, median of ${ROUNDS} rounds, rows in turn`);
console.log(
  `read() of 64 bytes: Node's readSync ${node.toFixed(0)} ns, through koffi ${koffi.toFixed(0)} ns (${(koffi / node).toFixed(2)} of it)`,
);
console.log(
  `a frame through KernelChecksum ${frame.toFixed(0)} ns = ${(frame / node).toFixed(1)} readSync, ${(1e9 / frame).toFixed(0)} frames a second`,
);
