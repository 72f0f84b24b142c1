// Ten million calls of each incremental helper between two forced collections; run with --expose-gc --trace-gc.
import { CHECKSUM_COMPLETE, Memory, skbFromBytes } from "@netoffload/skbuff";
import {
  csum16Add,
  csum16Sub,
  csumAdd,
  csumBlockAdd,
  csumBlockSub,
  csumFold,
  csumIpv6Magic,
  csumPartial,
  csumReplace,
  csumReplace2,
  csumReplace4,
  csumReplace16,
  csumReplaceByDiff,
  csumShift,
  csumSub,
  csumTcpudpMagic,
  inetProtoCsumReplace2,
  inetProtoCsumReplace4,
  inetProtoCsumReplace16,
  inetProtoCsumReplaceByDiff,
  skbPullRcsum,
  skbPushRcsum,
  updateChecksum,
} from "../../src/index.ts";

const CALLS = Number(process.argv[2]);
const collect = (globalThis as unknown as { gc: () => void }).gc;
const memory = Memory.create({ bytes: 2 << 20 });
const skb = skbFromBytes(memory, new Uint8Array(200).fill(3))!;
skb.ipSummed = CHECKSUM_COMPLETE;
const field = skb.data + 40;
const from = new Uint8Array(16).fill(5);
const to = new Uint8Array(16).fill(9);

/** Each loop stands by itself, so that each is compiled by itself. */
const LOOPS: readonly [string, (n: number) => void][] = [
  ["csum_add", (n) => run2(csumAdd, n)],
  ["csum_sub", (n) => run2(csumSub, n)],
  ["csum16_add", (n) => run2(csum16Add, n)],
  ["csum16_sub", (n) => run2(csum16Sub, n)],
  ["csum_shift", (n) => run2(csumShift, n)],
  ["csum_fold", (n) => run2(csumFold, n)],
  ["csum_block_add", (n) => run3(csumBlockAdd, n)],
  ["csum_block_sub", (n) => run3(csumBlockSub, n)],
  ["csum_replace", (n) => run3(csumReplace, n)],
  ["csum_replace2", (n) => run3(csumReplace2, n)],
  ["csum_replace4", (n) => run3(csumReplace4, n)],
  ["csum_replace_by_diff", (n) => run2(csumReplaceByDiff, n)],
  ["csum_tcpudp_magic", (n) => run3((a, b, i) => csumTcpudpMagic(a, b, i & 0xffff, 6), n)],
  ["csum_ipv6_magic", (n) => run2((a) => csumIpv6Magic(from, to, a, 6), n)],
  ["csum_replace16", (n) => run2((a) => csumReplace16(a, from, to), n)],
  ["csum_partial", (n) => run2((a) => csumPartial(memory, skb.data, 40, a & 0xffff), n)],
  ["update_checksum", (n) => run2((a) => updateChecksum(a & 0xffff, from, to), n)],
  ["inet_proto_csum_replace2", (n) => run3((_, b, i) => inetProtoCsumReplace2(skb, field, b, i, true), n)],
  ["inet_proto_csum_replace4", (n) => run3((_, b, i) => inetProtoCsumReplace4(skb, field, b, i, true), n)],
  [
    "inet_proto_csum_replace16",
    (n) => run2(() => inetProtoCsumReplace16(skb, field, skb.data, skb.data + 16, true), n),
  ],
  [
    "inet_proto_csum_replace_by_diff",
    (n) => run2((_, b) => inetProtoCsumReplaceByDiff(skb, field, b, true, false), n),
  ],
  [
    "skb_pull_rcsum and skb_push_rcsum",
    (n) =>
      run2(() => {
        skbPullRcsum(skb, 14);
        skbPushRcsum(skb, 14);
      }, n),
  ],
];

let sink = 0;

/** A fresh function for each helper, as a driver's loop would be. */
function run2(call: (a: number, b: number) => unknown, n: number): void {
  const loop = new Function(
    "call",
    "n",
    "let x = 1; for (let i = 0; i < n; i++) x = (x ^ call(x, i)) & 0xffff; return x;",
  ) as (call: unknown, n: number) => number;
  measure(loop, call, n);
}

function run3(call: (a: number, b: number, c: number) => unknown, n: number): void {
  const loop = new Function(
    "call",
    "n",
    "let x = 1; for (let i = 0; i < n; i++) x = (x ^ call(x, i, i + 3)) & 0xffff; return x;",
  ) as (call: unknown, n: number) => number;
  measure(loop, call, n);
}

function measure(loop: (call: unknown, n: number) => number, call: unknown, n: number): void {
  sink ^= loop(call, 200_000);
  collect();
  sink ^= loop(call, n);
  collect();
}

for (const [, loop] of LOOPS) loop(CALLS);
process.stderr.write(JSON.stringify({ names: LOOPS.map(([name]) => name), sink }));
