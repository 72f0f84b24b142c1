// Every example of a README, a guide or a doc comment compiles, runs on today's sources, and prints what it says.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Example, extractCommands, extractExamples, findCommands, findExamples } from "./examples.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const packages = [...findExamples(root)].filter(([, examples]) => examples.length > 0);
/** Within the package, so that its name and its dependencies resolve as they do for its users. */
const folder = (pkg: string): string => join(root, "packages", pkg, ".tmp", `examples-${process.pid}`);

interface Outcome {
  readonly printed: string;
  readonly error: string | null;
}

function run(paths: readonly string[]): Outcome[] {
  const done = spawnSync(
    process.execPath,
    ["--conditions=@netoffload/source", "--import", "tsx", join(root, "scripts/examples-child.ts"), ...paths],
    { cwd: root, encoding: "utf8", timeout: 120_000 },
  );
  if (done.status !== 0) throw new Error(`examples ended with ${done.status}\n${done.stderr}${done.stdout}`);
  return JSON.parse(done.stdout) as Outcome[];
}

/** Messages of the compiler, each beginning with the example's own place. */
function compile(examples: readonly Example[], paths: readonly string[]): string[] {
  const config = ts.readConfigFile(join(root, "tsconfig.base.json"), (path) => readFileSync(path, "utf8"));
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.config.compilerOptions, isolatedDeclarations: false, declaration: false, types: ["node"] },
    root,
  );
  const program = ts.createProgram([...paths, join(root, "types/wasm.d.ts")], options);
  return paths.flatMap((path, i) => {
    const source = program.getSourceFile(path)!;
    const messages = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return messages.map((message) => {
      const { line } = source.getLineAndCharacterOfPosition(message.start ?? 0);
      const text = ts.flattenDiagnosticMessageText(message.messageText, "\n");
      return `${examples[i]!.file}:${examples[i]!.line + line}: ${text}`;
    });
  });
}

function place(examples: readonly Example[], dir: string): string[] {
  mkdirSync(dir, { recursive: true });
  return examples.map(({ code }, i) => {
    const path = join(dir, `example-${i}.ts`);
    // a module even when it imports nothing
    writeFileSync(path, `${code}\nexport {};\n`);
    return path;
  });
}

describe.each(packages)("%s", (pkg, examples) => {
  let outcomes: Outcome[] = [];
  let faults: string[] = [];
  beforeAll(() => {
    const paths = place(examples, folder(pkg));
    faults = compile(examples, paths);
    outcomes = run(paths);
  }, 180_000);
  afterAll(() => rmSync(folder(pkg), { recursive: true, force: true }));

  test("examples compile", () => expect(faults).toEqual([]));
  test.each(examples.map((example, i) => ({ ...example, i })))("$file:$line", ({ i, printed }) => {
    expect(outcomes[i]!.error).toBeNull();
    expect(
      printed,
      "says what it prints: a ```text block after it, or comments behind console.log",
    ).not.toBeNull();
    expect(outcomes[i]!.printed).toBe(printed);
  });
});

describe("commands", () => {
  test.each(findCommands(root))("$file:$line", ({ words, printed }) => {
    const done = spawnSync(
      process.execPath,
      [
        "--conditions=@netoffload/source",
        "--import",
        "tsx",
        join(root, "packages/netoffload/src/bin.ts"),
        ...words,
      ],
      { cwd: join(root, "packages/netoffload"), encoding: "utf8", timeout: 120_000 },
    );
    expect(done.stderr).toBe("");
    expect(done.stdout).toMatch(printed);
  });
});

describe("the runner itself", () => {
  test("finds blocks, places and announcements", () => {
    const markdown =
      "# a\n```sh\nx\n```\n```ts\nconsole.log(1); // 1\n```\n\n```ts\nf();\n```\n\n```text\n2\n3\n```\n";
    expect(extractExamples("a.md", markdown)).toEqual([
      { file: "a.md", line: 6, code: "console.log(1); // 1", printed: "1" },
      { file: "a.md", line: 10, code: "f();", printed: "2\n3" },
    ]);
    const source =
      'const a = "```ts";\n/**\n * Text.\n * ```ts\n * g();\n *   h();\n * ```\n */\nexport const x = 1;\n';
    expect(extractExamples("a.ts", source)).toEqual([
      { file: "a.ts", line: 5, code: "g();\n  h();", printed: null },
    ]);
  });

  test("reads commands and what they print", () => {
    const [first, second] = extractCommands(
      "a.md",
      "```console\n$ netoffload a --b\nx … y\n$ netoffload\n…\nz.\n```\n",
    );
    expect(first).toMatchObject({ line: 2, words: ["a", "--b"] });
    expect("x 12 y\n").toMatch(first!.printed);
    expect("x 12 z\n").not.toMatch(first!.printed);
    expect(second).toMatchObject({ line: 4, words: [] });
    expect("1\n2\nz.\n").toMatch(second!.printed);
    expect("1\n2\nzz\n").not.toMatch(second!.printed);
  });

  test("a wrong type, a wrong output and a throw show", () => {
    const dir = folder("netoffload");
    const code = ["const n: number = 'a';\nconsole.log(n); // b", "throw new Error('no');"];
    const examples = code.map((text, i) => ({ file: `${i}.md`, line: 1, code: text, printed: null }));
    const paths = place(examples, `${dir}-bad`);
    try {
      expect(compile(examples, paths)).toEqual(["0.md:1: Type 'string' is not assignable to type 'number'."]);
      const [wrong, thrown] = run(paths);
      expect(wrong).toEqual({ printed: "a", error: null });
      expect(thrown!.error).toMatch(/^Error: no/);
    } finally {
      rmSync(`${dir}-bad`, { recursive: true, force: true });
    }
  }, 120_000);
});
