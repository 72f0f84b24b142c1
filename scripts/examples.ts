// Examples in READMEs, guides and TSDoc: every ```ts block, and what it says it prints. Printed lines stand in the
// ```text block that follows it at once, or in the comments at the ends of its console.log lines. In a ```console block
// the lines behind `$ netoffload ...` are what the command prints; `…` stands for what differs from run to run, on a
// line of its own for any lines.
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

/** One command of a ```console block. */
export interface Command {
  readonly file: string;
  readonly line: number;
  /** Words behind `netoffload`. */
  readonly words: readonly string[];
  /** What its whole output looks like. */
  readonly printed: RegExp;
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

const LITERAL = /[.*+?^${}()|[\]\\]/g;

/** Lines with `…` as a pattern for a whole output. */
function pattern(lines: readonly string[]): RegExp {
  const parts = lines.map((line) =>
    line.trim() === "…"
      ? "(?:.*\n)*?"
      : `${line.trimEnd().replace(LITERAL, "\\$&").replaceAll("…", ".*")} *\n`,
  );
  return new RegExp(`^${parts.join("")}$`);
}

/** The `$ netoffload ...` commands of a Markdown text. */
export function extractCommands(file: string, text: string): Command[] {
  const lines = text.split("\n");
  const commands: Command[] = [];
  for (let i = 0; i < lines.length; i++) {
    if (!/^```console\s*$/.test(lines[i]!)) continue;
    for (i++; i < lines.length && lines[i] !== "```"; ) {
      const command = /^\$ netoffload ?(.*)$/.exec(lines[i]!);
      const line = ++i;
      const from = i;
      while (i < lines.length && lines[i] !== "```" && !lines[i]!.startsWith("$ ")) i++;
      if (command === null)
        throw new Error(`${file}:${line}: a console block holds $ netoffload lines and output`);
      const words = command[1]!.split(" ").filter((word) => word !== "");
      commands.push({ file, line, words, printed: pattern(lines.slice(from, i)) });
    }
  }
  return commands;
}

/** Commands of all READMEs and guides. */
export function findCommands(root: string): Command[] {
  const packages = readdirSync(join(root, "packages")).sort();
  const paths = [
    join(root, "README.md"),
    ...files(join(root, "docs"), ".md"),
    ...packages.map((pkg) => join(root, "packages", pkg, "README.md")),
  ];
  return paths
    .filter((path) => existsSync(path))
    .flatMap((path) =>
      extractCommands(relative(root, path).replaceAll(sep, "/"), readFileSync(path, "utf8")),
    );
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
