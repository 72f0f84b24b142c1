/** Reads every hostile document and tells time, faults and the memory so far. */
import { readCpr } from "@netoffload/cpr-ir";
import { HOSTILE } from "./hostile.ts";

const results: { name: string; ms: number; faults: number; mb: number }[] = [];
readCpr("{}");
for (const [name, make] of Object.entries(HOSTILE)) {
  const text = make();
  // processor time: other programs of the machine do not count
  const before = process.cpuUsage();
  const r = readCpr(text);
  const used = process.cpuUsage(before);
  const ms = (used.user + used.system) / 1000;
  const mb = process.resourceUsage().maxRSS / 1024;
  results.push({ name, ms, faults: r.ok ? 0 : r.diagnostics.length, mb });
}
console.log(JSON.stringify(results));
