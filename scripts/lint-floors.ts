// Fails when anything imports up the floors; see floors.ts.
import { fileURLToPath } from "node:url";
import { checkFloors } from "./floors.ts";

const { faults, files } = checkFloors(fileURLToPath(new URL("..", import.meta.url)));
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.stdout.write(`floors: ${files} files, ${faults.length} faults\n`);
process.exit(faults.length === 0 ? 0 : 1);
