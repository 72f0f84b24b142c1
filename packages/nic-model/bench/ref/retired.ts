/**
 * Instructions retired a packet: our compiler's tx_csum and rx_csum beside the same functions in C (csum-twin.c)
 * built by clang for BPF. Both run in the oracle interpreter, units and helpers not counted, results compared.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileNpu, orThrow } from "@netoffload/cpr-ir";
import { Memory, type SkBuff, skbFromBytes } from "@netoffload/skbuff";
import { runEbpf } from "../../../cpr-ir/test/ref/ebpf-interp.ts";

/** The flags of the yardstick; freestanding, so that no C library's headers are needed. */
const FLAGS = ["-O2", "-target", "bpf", "-mcpu=v3", "-ffreestanding", "-Wall", "-Wextra", "-Werror"];
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The two functions compared, with their static regions (ABI 1). */
const FUNCTIONS = { tx_csum: 1, rx_csum: 2 } as const;
type Name = keyof typeof FUNCTIONS;

/** Code of each C function, entered at its first instruction by one jump that is not counted. */
export function cTwins(clang: string = "clang"): Record<Name, Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), "netoffload-twin-"));
  try {
    const object = join(folder, "twin.o");
    execFileSync(clang, [...FLAGS, "-c", here("csum-twin.c"), "-o", object], { stdio: "pipe" });
    const elf = readFileSync(object);
    return { tx_csum: enterAt(elf, "tx_csum"), rx_csum: enterAt(elf, "rx_csum") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** .text of an ELF object without relocations, behind a jump to a symbol. */
function enterAt(elf: Uint8Array, symbol: string): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  const header = (n: number): number => u64(40) + n * view.getUint16(58, true);
  const bytesOf = (n: number): Uint8Array =>
    elf.subarray(u64(header(n) + 24), u64(header(n) + 24) + u64(header(n) + 32));
  for (let n = 0; n < view.getUint16(60, true); n++) {
    const type = view.getUint32(header(n) + 4, true);
    if (type === 4 || type === 9) throw new Error("the C twin has relocations");
    if (type !== 2) continue;
    const table = bytesOf(n);
    const names = bytesOf(view.getUint32(header(n) + 40, true));
    const symbols = new DataView(table.buffer, table.byteOffset, table.byteLength);
    for (let at = 0; at < table.length; at += 24) {
      const from = symbols.getUint32(at, true);
      const name = Buffer.from(names.subarray(from, names.indexOf(0, from))).toString();
      if (name !== symbol) continue;
      const text = bytesOf(symbols.getUint16(at + 6, true));
      const jump = Buffer.alloc(8);
      jump[0] = 0x05;
      jump.writeInt16LE(Number(symbols.getBigUint64(at + 8, true)) / 8, 2);
      return Buffer.concat([jump, text]);
    }
  }
  throw new Error(`${symbol} is not in the object`);
}

/** Our code of both programs, from the committed IR. */
export function compiled(): Record<Name, Uint8Array> {
  const one = (name: Name): Uint8Array =>
    orThrow(
      compileNpu(readFileSync(here(`../../../csum/ir/${name}.wasm`)), { functionNumber: FUNCTIONS[name] }),
    ).text;
  return { tx_csum: one("tx_csum"), rx_csum: one("rx_csum") };
}

/** One shape of packet: how it lies in memory, and how many of a hundred packets have it. */
interface Shape {
  readonly name: string;
  readonly weight: number;
  readonly frags?: readonly number[];
  readonly fragList?: readonly number[];
  readonly cloned?: boolean;
}

/** Most packets of a NIC are one linear piece; zero-copy senders have frags, coalesced ones lists. */
export const SHAPES: readonly Shape[] = [
  { name: "linear", weight: 70 },
  { name: "cloned, sole owner", weight: 5, cloned: true },
  { name: "1 frag", weight: 10, frags: [800] },
  { name: "3 frags, odd", weight: 10, frags: [101, 299, 400] },
  { name: "2 list members", weight: 5, fragList: [333, 200] },
];

/** Figures of one function over one shape. */
export interface Retired {
  readonly name: Name;
  readonly shape: string;
  readonly weight: number;
  readonly ours: number;
  readonly c: number;
}

function packet(memory: Memory, shape: Shape, length: number): SkBuff {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 151 + 7 * length) & 255);
  const skb = skbFromBytes(memory, bytes, {
    ...(shape.frags && { frags: shape.frags }),
    ...(shape.fragList && { fragList: shape.fragList }),
  });
  if (skb === null) throw new Error("no room for the packet");
  if (!skb.skbPartialCsumSet(34, 16)) throw new Error("the checksum does not lie in the linear part");
  if (shape.cloned) skb.skbClone()!.kfreeSkb();
  return skb;
}

/** Run every shape at several lengths by both sides. Throws where results, memories or helpers differ. */
export function measure(ours: Record<Name, Uint8Array>, c: Record<Name, Uint8Array>): Retired[] {
  const out: Retired[] = [];
  for (const name of Object.keys(FUNCTIONS) as Name[])
    for (const shape of SHAPES) {
      const total = { ours: 0, c: 0 };
      const lengths = [1000, 1001, 1514];
      for (const length of lengths) {
        const memory = Memory.create({ bytes: 2 << 20 });
        const { address } = packet(memory, shape, length);
        const run = (text: Uint8Array): { ret: number; instructions: number; memory: Uint8Array } => {
          const bytes = memory.bytes.slice();
          const own = bytes.slice();
          const helpers = { 1: (ptr: number, len: number, sum: number) => slowSum(own, ptr, len, sum) };
          const done = runEbpf(text, own, [address], { helpers });
          if (done.trap !== 0) throw new Error(`${name}, ${shape.name}: trap ${done.trap}`);
          return { ...done, memory: own };
        };
        const a = run(ours[name]);
        const b = run(c[name]);
        if (a.ret !== 0 || b.ret !== 0) throw new Error(`${name}, ${shape.name}: ${a.ret} and ${b.ret}`);
        if (Buffer.compare(a.memory, b.memory) !== 0)
          throw new Error(`${name}, ${shape.name}: memories differ`);
        if (Buffer.compare(a.memory, memory.bytes) === 0) throw new Error(`${name}: nothing was done`);
        total.ours += a.instructions;
        total.c += b.instructions - 1;
      }
      out.push({
        name,
        shape: shape.name,
        weight: shape.weight,
        ours: total.ours / lengths.length,
        c: total.c / lengths.length,
      });
    }
  return out;
}

/** Mean of the mix, our count over C's. */
export function ratioOf(rows: readonly Retired[]): number {
  const sum = (key: "ours" | "c"): number => rows.reduce((n, r) => n + r.weight * r[key], 0);
  return sum("ours") / sum("c");
}

/** csum_partial by its definition: canonical, little-endian words, an odd last byte low. */
function slowSum(memory: Uint8Array, ptr: number, len: number, start: number): number {
  let sum = start;
  for (let i = 0; i < len; i++) sum += memory[ptr + i]! * (i % 2 === 0 ? 1 : 256);
  if (sum === 0) return 0;
  return ((sum - 1) % 0xffff) + 1;
}
