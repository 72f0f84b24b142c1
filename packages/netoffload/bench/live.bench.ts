// The same programs on the host, in the live kernel and on the NIC model: sizes, and ns a packet, rows of one run,
// interleaved, median of the rounds. Then how many packets a second go through one loaded program with everything
// that belongs to it. As root: npx tsx --conditions=@netoffload/source packages/netoffload/bench/live.bench.ts
import { compileEbpf, compileNpu, type HostProgram, instantiateProgram, orThrow } from "@netoffload/cpr-ir";
import { Npu } from "@netoffload/nic-model";
import {
  HEAP_BASE,
  Memory,
  SK_BUFF_OFF as O,
  SKB_SHARED_INFO_OFF as S,
  SIZEOF_SK_BUFF,
  SIZEOF_SKB_SHARED_INFO,
} from "@netoffload/skbuff";
import { compiledForKernel } from "../src/image.ts";
import { KernelProgram } from "../src/live/kernel-program.ts";
import { findProgram } from "../src/programs.ts";

const ROUNDS = 25;
const BATCH = 1024;
const MEMORY = 8 << 20;
const GOAL = 2_000_000;
const CHECKSUM_PARTIAL = 3;
const CSUM_START = 34;
const CSUM_OFFSET = 16;

/** Skbs of one size behind each other in a memory, from the heap's begin on; no heap is used. */
class Packets {
  readonly addresses: Uint32Array = new Uint32Array(BATCH);
  readonly from = HEAP_BASE;
  readonly to: number;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #length: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, length: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset);
    this.#length = length;
    this.#end = (length + 7) & ~7;
    const slot = (SIZEOF_SK_BUFF + this.#end + SIZEOF_SKB_SHARED_INFO + 63) & ~63;
    for (let i = 0; i < BATCH; i++) this.addresses[i] = HEAP_BASE + i * slot;
    this.to = HEAP_BASE + BATCH * slot;
    if (this.to > MEMORY) throw new Error(`${BATCH} packets of ${length} bytes need ${this.to} bytes`);
  }

  /** Make packet i's skb: the fields a stack hands down, its bytes, and the shared info's. */
  setUp(i: number, source: Uint8Array): void {
    const view = this.#view;
    const skb = this.addresses[i]!;
    const data = skb + SIZEOF_SK_BUFF;
    const end = data + this.#end;
    view.setUint32(skb + O.head, data, true);
    view.setUint32(skb + O.data, data, true);
    view.setUint32(skb + O.tail, data + this.#length, true);
    view.setUint32(skb + O.end, end, true);
    view.setUint32(skb + O.len, this.#length, true);
    view.setUint32(skb + O.dataLen, 0, true);
    view.setUint32(skb + O.flags, CHECKSUM_PARTIAL, true);
    view.setUint16(skb + O.csumStart, CSUM_START, true);
    view.setUint16(skb + O.csumOffset, CSUM_OFFSET, true);
    this.#bytes.set(source, data);
    view.setUint8(end + S.flags, 0);
    view.setUint8(end + S.nrFrags, 0);
    view.setUint16(end + S.gsoSize, 0, true);
    view.setUint32(end + S.fragList, 0, true);
  }

  /** What a driver would take back: the two bytes of the checksum. */
  checksum(i: number): number {
    return this.#view.getUint16(this.addresses[i]! + SIZEOF_SK_BUFF + CSUM_START + CSUM_OFFSET, false);
  }
}

/** Nanoseconds a packet, median; the rows take turns. */
function time(rows: Readonly<Record<string, () => number>>): Record<string, number> {
  const taken: Record<string, number[]> = {};
  let sink = 0;
  for (let round = -5; round < ROUNDS; round++)
    for (const [name, run] of Object.entries(rows)) {
      const began = process.hrtime.bigint();
      sink ^= run();
      const ns = Number(process.hrtime.bigint() - began) / BATCH;
      if (round >= 0) (taken[name] ??= []).push(ns);
    }
  if (sink === 12345) console.log("");
  return Object.fromEntries(
    Object.entries(taken).map(([name, list]) => [name, list.sort((a, b) => a - b)[list.length >> 1]!]),
  );
}

const frame = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 255);

function compare(name: "tx_csum" | "rx_csum", length: number): string {
  const program = findProgram(name);
  const ebpf = compiledForKernel(program);
  const npuCode = orThrow(compileNpu(program.ir, program));
  const memory = Memory.create({ bytes: MEMORY });
  const host: HostProgram = orThrow(instantiateProgram(program.ir, memory));
  const kernel = KernelProgram.load({ ...program, ...ebpf }, { memoryBytes: MEMORY });
  const npu = Npu.create({ memoryBytes: MEMORY });
  const loaded = npu.load(0, program.functionNumber, npuCode.text);
  if (!loaded.ok) throw new Error(loaded.message);
  const source = frame(length);
  const sides = [memory.bytes, kernel.bytes, npu.bytes].map((bytes) => {
    const packets = new Packets(bytes, length);
    for (let i = 0; i < BATCH; i++) packets.setUp(i, source);
    return packets;
  });
  const results = new Int32Array(2 * BATCH);
  const ns = time({
    host: () => host.runBatch(sides[0]!.addresses, BATCH, results)[0]!,
    kernel: () => kernel.runBatch(sides[1]!.addresses, BATCH)[0]!,
    npu: () => npu.runBatch(0, program.functionNumber, sides[2]!.addresses, BATCH)[0]!,
  });
  const sums = sides.map((s) => s.checksum(BATCH - 1));
  if (new Set(sums).size !== 1) throw new Error(`${name}: checksums differ: ${sums}`);
  const cells = [
    name,
    String(length),
    String(program.ir.length),
    String(ebpf.text.length / 8),
    String(kernel.verifiedInstructions),
    ns.host!.toFixed(1),
    ns.kernel!.toFixed(1),
    ns.npu!.toFixed(1),
    (ns.kernel! / ns.host!).toFixed(2),
    (ns.npu! / ns.host!).toFixed(2),
  ];
  kernel.close();
  return `| ${cells.join(" | ")} |`;
}

/** Packets a second through one loaded program, everything included; the best and the median round. */
function throughput(): { best: number; median: number } {
  const program = findProgram("tx_csum");
  const kernel = KernelProgram.load(
    { ...program, ...orThrow(compileEbpf(program.ir, program)) },
    { memoryBytes: MEMORY },
  );
  const memory = Memory.create({ bytes: MEMORY });
  const packets = new Packets(memory.bytes, 64);
  const frames = Array.from({ length: BATCH }, (_, i) => frame(64).fill(i & 255, 50, 64));
  const expected = new Uint16Array(BATCH);
  const host = orThrow(instantiateProgram(program.ir, memory));
  for (let i = 0; i < BATCH; i++) packets.setUp(i, frames[i]!);
  host.runBatch(packets.addresses, BATCH);
  for (let i = 0; i < BATCH; i++) expected[i] = packets.checksum(i);
  const inHost = memory.bytes.subarray(packets.from, packets.to);
  const inArena = kernel.bytes.subarray(packets.from, packets.to);
  const rates: number[] = [];
  for (let round = 0; round < 40; round++) {
    const began = performance.now();
    let wrong = 0;
    for (let n = 0; n < 16; n++) {
      for (let i = 0; i < BATCH; i++) packets.setUp(i, frames[i]!);
      inArena.set(inHost);
      const results = kernel.runBatch(packets.addresses, BATCH);
      inHost.set(inArena);
      for (let i = 0; i < BATCH; i++)
        if (results[2 * i] !== 0 || results[2 * i + 1] !== 0 || packets.checksum(i) !== expected[i]) wrong++;
    }
    if (wrong > 0) throw new Error(`${wrong} packets are wrong`);
    rates.push((16 * BATCH * 1000) / (performance.now() - began));
  }
  kernel.close();
  rates.sort((a, b) => a - b);
  return { best: rates[rates.length - 1]!, median: rates[rates.length >> 1]! };
}

if (process.getuid?.() !== 0) console.log("SKIPPED: bpf(2) needs root on Linux");
else {
  console.log(
    "| program | packet bytes | WebAssembly bytes | BPF instructions | verified | host ns | live kernel ns | NPU model ns | kernel / host | NPU / host |",
  );
  console.log(`|${" --- |".repeat(10)}`);
  for (const length of [64, 1460])
    for (const name of ["tx_csum", "rx_csum"] as const) console.log(compare(name, length));
  const { best, median } = throughput();
  console.log(
    `64-byte packets checksummed by the live kernel, skbs set up, copied in and out, read back, system calls, batches of ${BATCH}: median ${(median / 1e6).toFixed(2)} M/s, best ${(best / 1e6).toFixed(2)} M/s, goal ${GOAL / 1e6} M/s`,
  );
  if (best < GOAL) process.exitCode = 1;
}
