/** Runs the command line in this process and keeps what it prints. */
import { main } from "../../src/cli/main.ts";
import { TextOut } from "../../src/cli/output.ts";

/** What a command did. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Standard output as JSON lines. */
  readonly json: Record<string, unknown>[];
}

/** Run `netoffload WORDS...`. */
export async function run(...argv: string[]): Promise<Ran> {
  const parts: { out: string[]; err: string[] } = { out: [], err: [] };
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const code = await main(
    argv,
    new TextOut((b) => void parts.out.push(text(b))),
    new TextOut((b) => void parts.err.push(text(b))),
  );
  const out = parts.out.join("");
  const lines = out.split("\n").filter((l) => l.startsWith("{"));
  return {
    code,
    out,
    err: parts.err.join(""),
    get json() {
      return lines.map((l) => JSON.parse(l) as Record<string, unknown>);
    },
  };
}
