// `npm run bench [-- WORD...]`: packages/*/bench/*.bench.ts one after another, on what the build made (no source
// condition), so that figures are those of the published code.
import { runEach } from "./run-each.ts";

process.exit(
  runEach({
    folder: "bench",
    suffix: ".bench.ts",
    nodeOptions: ["--expose-gc"],
    filter: process.argv.slice(2),
  }),
);
