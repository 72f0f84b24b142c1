// A reload request as netlink bytes, written and read, beside the same request as JSON text. Rows are timed in turn,
// medians of the rounds; every result is looked at.
import { isDeepStrictEqual } from "node:util";
import { decodeRequest, encodeReloadRequest, readAttrs } from "@netoffload/devlink";

const ROUNDS = Number(process.env.NETOFFLOAD_BENCH_ROUNDS ?? 21);
const CALLS = 5000;
const BASELINE = "JSON.stringify and JSON.parse";

const HANDLE = "sim/nic0";
const RELOAD = { action: "parser_fetch", file: "netoffload/csum.img" } as const;
const bytes = encodeReloadRequest(HANDLE, RELOAD);
const decoded = decodeRequest(bytes);
if (!decoded.ok || decoded.value.command !== "reload") throw new Error("the request is refused");
const { value } = decoded;
const again = JSON.parse(JSON.stringify(value)) as typeof value;
if (!isDeepStrictEqual(again, value)) throw new Error("JSON loses something, the rows would differ");

/** Each gives a number that says it did its work. */
const rows: Readonly<Record<string, () => number>> = {
  [BASELINE]: () => (JSON.parse(JSON.stringify(value)) as typeof value).command.length,
  encodeReloadRequest: () => encodeReloadRequest(HANDLE, RELOAD).length,
  decodeRequest: () => Number(decodeRequest(bytes).ok),
  readAttrs: () => {
    const attrs = readAttrs(bytes.subarray(4));
    return attrs.ok ? attrs.value.length : 0;
  },
};

const samples = new Map(Object.keys(rows).map((name) => [name, [] as number[]]));
for (let round = 0; round <= ROUNDS; round++)
  for (const [name, row] of Object.entries(rows)) {
    let done = 0;
    const start = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i++) done += row();
    const ns = Number(process.hrtime.bigint() - start) / CALLS;
    if (done < CALLS) throw new Error(`${name} did nothing`);
    // the first round warms up
    if (round > 0) samples.get(name)!.push(ns);
  }
const median = (name: string): number => samples.get(name)!.sort((a, b) => a - b)[ROUNDS >> 1]!;
console.log(`a reload request of ${bytes.length} bytes`);
for (const name of Object.keys(rows)) {
  const ratio = median(name) / median(BASELINE);
  console.log(
    `  ${name.padEnd(30)} ${Math.round(median(name)).toString().padStart(8)} ns  ${ratio.toFixed(2)} x JSON`,
  );
}
