// `npm run fuzz [-- WORD...]`: packages/*/test/fuzz/*.fuzz.ts, each for NETOFFLOAD_FUZZ_SECONDS (60 when unset). One that
// has not ended a minute after its time hangs, which is a failure.
import { runEach } from "./run-each.ts";

const seconds = Number(process.env.NETOFFLOAD_FUZZ_SECONDS ?? 60);
if (!(seconds > 0)) {
  process.stderr.write(
    `NETOFFLOAD_FUZZ_SECONDS is ${process.env.NETOFFLOAD_FUZZ_SECONDS}, expected seconds > 0\n`,
  );
  process.exit(2);
}
process.exit(
  runEach({
    folder: "test/fuzz",
    suffix: ".fuzz.ts",
    nodeOptions: ["--conditions=@netoffload/source"],
    filter: process.argv.slice(2),
    timeout: (seconds + 60) * 1000,
  }),
);
