// Instructions retired a packet, our compiler's code beside clang's. Counts, not times: noise has no part in it.
import { has } from "../../internal/test/facility.ts";
import { compiled, cTwins, measure, ratioOf } from "./ref/retired.ts";

const GOAL = 2;

if (!has("clang")) console.log("SKIPPED: clang is not here: no C to compare with");
else {
  const rows = measure(compiled(), cTwins());
  for (const r of rows)
    console.log(
      `${r.name} ${r.shape.padEnd(20)} ${r.ours.toFixed(1).padStart(6)} instructions, C ${r.c.toFixed(1).padStart(6)}, ratio ${(r.ours / r.c).toFixed(2)}`,
    );
  const ratio = ratioOf(rows);
  console.log(`mix: ${ratio.toFixed(2)} times C, goal at most ${GOAL.toFixed(1)}`);
  if (ratio > GOAL) process.exitCode = 1;
}
