// Runs the example files given as arguments one after another in this process and prints, as one JSON array, what each
// printed or how it failed.
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const write = process.stdout.write.bind(process.stdout);
const results: { printed: string; error: string | null }[] = [];
for (const file of process.argv.slice(2)) {
  const lines: string[] = [];
  console.log = (...values: unknown[]) => lines.push(format(...values));
  let error: string | null = null;
  try {
    await import(pathToFileURL(file).href);
  } catch (e) {
    error = e instanceof Error ? (e.stack ?? e.message) : String(e);
  }
  results.push({ printed: lines.join("\n"), error });
}
write(JSON.stringify(results));
