// `npm run check:packed`: each package as its users get it. Packs all of them, looks into the tarballs, installs them
// into an empty project, type-checks a file that imports them all, runs the examples of their READMEs on the packed
// code, and starts what they put on the path.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { extractExamples } from "./examples.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const place = join(root, ".tmp", "packed");
const consumer = join(place, "consumer");

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly bin?: Readonly<Record<string, string>>;
}

interface Packed {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Path of the tarball. */
  readonly tarball: string;
  /** Files in it, without the leading `package/`. */
  readonly files: readonly string[];
}

const faults: string[] = [];
const say = (text: string): void => void process.stdout.write(`${text}\n`);

function run(command: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (e) {
    const { stdout, stderr } = e as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(" ")} failed\n${stdout ?? ""}${stderr ?? ""}`, { cause: e });
  }
}

/** The pinned pnpm of this repository. */
const pnpm = (args: readonly string[], cwd: string): string =>
  run(process.platform === "win32" ? "pnpm.cmd" : join(root, "node_modules", ".bin", "pnpm"), args, cwd);

function pack(folder: string, manifest: Manifest): Packed {
  const tarball = join(place, `${folder}.tgz`);
  pnpm(["pack", "--out", tarball], join(root, "packages", folder));
  const listed = run("tar", ["-tzf", tarball], root).trim().split("\n");
  return { folder, manifest, tarball, files: listed.map((file) => file.replace(/^package\//, "")) };
}

/** What must and must not be in a tarball. */
function inspect({ folder, manifest, tarball, files }: Packed): void {
  const dir = join(root, "packages", folder);
  const fault = (text: string): void => void faults.push(`${manifest.name}: ${text}`);
  for (const file of [
    "LICENSE",
    "README.md",
    "package.json",
    "dist/index.js",
    "dist/index.d.ts",
    "src/index.ts",
  ])
    if (!files.includes(file)) fault(`${file} is not in the package`);
  for (const part of ["program", "ir", "captures", "bin"])
    if (existsSync(join(dir, part)) && !files.some((file) => file.startsWith(`${part}/`)))
      fault(`the folder ${part} is not in the package`);
  for (const file of files.filter((name) => /^dist\/.*\.(js|ts)$/.test(name))) {
    const text = run("tar", ["-xzOf", tarball, `package/${file}`], root);
    if (/(?:\bfrom|\bimport|\brequire)\s*\(?\s*["']@netoffload\/internal["']/.test(text))
      fault(`${file} imports @netoffload/internal`);
  }
  const published = run("tar", ["-xzOf", tarball, "package/package.json"], root);
  for (const word of ["workspace:", "@netoffload/source"])
    if (published.includes(word)) fault(`package.json still has "${word}"`);
}

function install(packages: readonly Packed[]): void {
  mkdirSync(consumer, { recursive: true });
  const files = Object.fromEntries(
    packages.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]),
  );
  writeFileSync(
    join(consumer, "package.json"),
    JSON.stringify({ name: "consumer", private: true, type: "module", dependencies: files }, null, 2),
  );
  // JSON is YAML; the overrides make packages find each other here and not in a registry
  const settings = { packages: ["."], overrides: files, pmOnFail: "ignore", allowBuilds: { koffi: false } };
  writeFileSync(join(consumer, "pnpm-workspace.yaml"), JSON.stringify(settings));
  pnpm(["install", "--prefer-offline", "--no-frozen-lockfile"], consumer);
}

/** A strict project without skipLibCheck: the published declarations stand on their own. */
function typecheck(packages: readonly Packed[]): void {
  const file = join(consumer, "all.ts");
  const lines = packages.map(({ manifest }, i) => `export * as p${i} from "${manifest.name}";`);
  writeFileSync(file, `${lines.join("\n")}\n`);
  const program = ts.createProgram([file], {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
  });
  for (const { file: source, start, messageText } of ts.getPreEmitDiagnostics(program)) {
    const line = source && start !== undefined ? source.getLineAndCharacterOfPosition(start).line + 1 : 0;
    faults.push(
      `types: ${source?.fileName ?? ""}:${line}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
  }
}

/** A package on its own: it loads, exports something, and its README's examples print what they say. */
function smoke({ folder, manifest }: Packed): void {
  const count = `console.log(Object.keys(await import("${manifest.name}")).length)`;
  if (!(Number(run(process.execPath, ["--input-type=module", "-e", count], consumer)) > 0))
    faults.push(`${manifest.name}: exports nothing`);
  const readme = readFileSync(join(root, "packages", folder, "README.md"), "utf8");
  const examples = extractExamples(`${folder}/README.md`, readme);
  if (examples.length === 0) faults.push(`${manifest.name}: README.md has no example`);
  for (const { file, line, code, printed } of examples) {
    const script = join(consumer, `${folder}-${line}.mjs`);
    const { outputText } = ts.transpileModule(code, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    writeFileSync(script, outputText);
    const got = run(process.execPath, [script], consumer).trimEnd();
    if (got !== printed) faults.push(`${file}:${line}: printed\n${got}\ninstead of\n${printed}`);
  }
  for (const name of Object.keys(manifest.bin ?? {})) {
    const bin = join(consumer, "node_modules", ".bin", name);
    const version = run(bin, ["--version"], consumer).trim();
    if (!version.includes(manifest.version)) faults.push(`${name} --version says ${version}`);
    // its own main job on what it brings along
    if (name === "netoffload") run(bin, ["verify", "--require", "HARDWARE", "--quiet"], consumer);
  }
}

rmSync(place, { recursive: true, force: true });
mkdirSync(place, { recursive: true });
const packages: Packed[] = [];
for (const folder of readdirSync(join(root, "packages")).sort()) {
  const file = join(root, "packages", folder, "package.json");
  if (!existsSync(file)) continue;
  const manifest = JSON.parse(readFileSync(file, "utf8")) as Manifest;
  if (!manifest.private) packages.push(pack(folder, manifest));
}
for (const packed of packages) inspect(packed);
install(packages);
typecheck(packages);
for (const packed of packages) {
  const before = faults.length;
  try {
    smoke(packed);
  } catch (e) {
    faults.push(`${packed.manifest.name}: ${(e as Error).message}`);
  }
  say(
    `${faults.length === before ? "ok    " : "FAULT "} ${packed.manifest.name} (${packed.files.length} files)`,
  );
}
for (const fault of faults) process.stderr.write(`packed: ${fault}\n`);
say(`packed: ${packages.length} packages, ${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
