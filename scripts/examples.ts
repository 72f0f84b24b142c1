// Examples in READMEs, guides and TSDoc: every ```ts block, and what it says it prints. Printed lines stand in the
// ```text block that follows it at once, or in the comments at the ends of its console.log lines.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** One ```ts block. */
export interface Example {
  /** File it stands in, from the repository's root, with `/`. */
  readonly file: string;
  /** Line of its first line of code, from 1. */
  readonly line: number;
  readonly code: string;
  /** What it prints, lines without the last newline; null when it says nothing. */
  readonly printed: string | null;
}

/** TypeScript text with everything but the insides of its doc comments blanked, lines kept. */
function docComments(text: string): string {
  let inside = false;
  const lines = text.split("\n").map((line) => {
    if (/^\s*\/\*\*/.test(line)) inside = true;
    const kept = inside ? line.replace(/^\s*(\/\*\*|\*(?!\/))? ?/, "") : "";
    if (line.includes("*/")) inside = false;
    return kept;
  });
  return lines.join("\n");
}

/** What the comments behind `console.log(...)` announce. */
function printedByComments(code: readonly string[]): string | null {
  const announced: string[] = [];
  for (const line of code) {
    const comment = /\bconsole\.log\(.*\);\s*\/\/ (.*)$/.exec(line);
    if (comment) announced.push(comment[1]!.trimEnd());
  }
  return announced.length === 0 ? null : announced.join("\n");
}

/**
 * Take the examples out of a text.
 * @param file - name for messages; `.ts` means that only doc comments count, all else is Markdown
 */
export function extractExamples(file: string, text: string): Example[] {
  const lines = (file.endsWith(".ts") ? docComments(text) : text).split("\n");
  const examples: Example[] = [];
  const block = (from: number): number => {
    let end = from;
    while (end < lines.length && !/^\s*```\s*$/.test(lines[end]!)) end++;
    return end;
  };
  for (let i = 0; i < lines.length; i++) {
    const opened = /^(\s*)```(\w*)/.exec(lines[i]!);
    if (!opened) continue;
    const end = block(i + 1);
    if (opened[2] === "ts") {
      const code = lines.slice(i + 1, end).map((line) => line.slice(opened[1]!.length));
      let next = end + 1;
      while (next < lines.length && lines[next]!.trim() === "") next++;
      const follows = /^\s*```text\s*$/.test(lines[next] ?? "");
      const output = follows ? lines.slice(next + 1, block(next + 1)) : null;
      const printed = output ? output.map((line) => line.trimEnd()).join("\n") : printedByComments(code);
      examples.push({ file, line: i + 2, code: code.join("\n"), printed });
    }
    i = end;
  }
  return examples;
}

function files(dir: string, ending: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .sort()
    .flatMap((name) => {
      const path = join(dir, name);
      if (["node_modules", "generated", "site"].includes(name)) return [];
      if (statSync(path).isDirectory()) return files(path, ending);
      return name.endsWith(ending) ? [path] : [];
    });
}

/**
 * All examples of the repository by the package they run in: a package's README and sources in itself, what stands
 * at the root and in docs/ in `netoffload`, which may use every package.
 */
export function findExamples(root: string): Map<string, Example[]> {
  const found = new Map<string, Example[]>();
  for (const pkg of readdirSync(join(root, "packages")).sort()) {
    const dir = join(root, "packages", pkg);
    if (!existsSync(join(dir, "package.json"))) continue;
    const paths = [join(dir, "README.md"), ...files(join(dir, "src"), ".ts")];
    if (pkg === "netoffload") paths.push(join(root, "README.md"), ...files(join(root, "docs"), ".md"));
    const examples = paths
      .filter((path) => existsSync(path))
      .flatMap((path) =>
        extractExamples(relative(root, path).replaceAll(sep, "/"), readFileSync(path, "utf8")),
      );
    found.set(pkg, examples);
  }
  return found;
}
