// The floors of the packages and the rule over them: an import goes strictly down. Sources, programs, tests and
// benches alike, since a test that reaches up makes a cycle too.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import ts from "typescript";

/** Floor of each package folder. `internal` is inlined into all and lies below them. */
export const FLOORS: Readonly<Record<string, number>> = {
  internal: -1,
  skbuff: 0,
  pcap: 0,
  csum: 1,
  linux: 1,
  "cpr-ir": 1,
  devlink: 2,
  "nic-model": 3,
  netoffload: 4,
};

const packageOf = (specifier: string): string | null => {
  const scoped = /^@netoffload\/([^/]+)/.exec(specifier);
  if (scoped) return scoped[1]!;
  return specifier === "netoffload" || specifier.startsWith("netoffload/") ? "netoffload" : null;
};

function judge(from: string, to: string, where: string, what: string): string[] {
  if (from === to) return [];
  const [upper, lower] = [FLOORS[from], FLOORS[to]];
  if (upper === undefined) return [`${where}: package ${from} has no floor (scripts/floors.ts)`];
  if (lower === undefined) return [`${where}: ${what}: package ${to} has no floor (scripts/floors.ts)`];
  if (lower < upper) return [];
  return [`${where}: ${what}: ${from} (floor ${upper}) must not use ${to} (floor ${lower})`];
}

/**
 * Faults of one source file.
 * @param file - path from the repository's root, with `/`
 * @param text - its text, TypeScript or AssemblyScript
 */
export function checkSource(file: string, text: string): string[] {
  const from = file.split("/")[1]!;
  const folder = file.split("/")[2]!;
  const faults: string[] = [];
  for (const { fileName: specifier, pos } of ts.preProcessFile(text, true, true).importedFiles) {
    const where = `${file}:${text.slice(0, pos).split("\n").length}`;
    const what = `import of "${specifier}"`;
    const named = packageOf(specifier);
    if (named !== null) faults.push(...judge(from, named, where, what));
    if (!specifier.startsWith(".")) continue;
    const path = normalize(join(dirname(file), specifier))
      .replaceAll(sep, "/")
      .split("/");
    if (path[0] !== "packages") faults.push(`${where}: ${what}: leaves the packages`);
    else if (path[1] !== from) {
      faults.push(...judge(from, path[1]!, where, what));
      if (folder === "src") faults.push(`${where}: ${what}: sources name other packages, not their files`);
    }
  }
  return faults;
}

/** Faults of a package.json: workspace packages among its dependencies of any kind. */
export function checkManifest(file: string, text: string): string[] {
  const from = file.split("/")[1]!;
  const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
  const kinds = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];
  return kinds.flatMap((kind) =>
    Object.keys(manifest[kind] ?? {}).flatMap((name) => {
      const to = packageOf(name);
      return to === null ? [] : judge(from, to, file, `${kind} has ${name}`);
    }),
  );
}

/** Faults of a modules.json: entries that lie in another package. */
export function checkModules(file: string, text: string): string[] {
  const from = file.split("/")[1]!;
  const list = JSON.parse(text) as { host?: { entry: string }[] };
  return (list.host ?? []).flatMap(({ entry }) => {
    const to = normalize(join("packages", from, entry)).split(sep)[1]!;
    return judge(from, to, file, `entry ${entry}`);
  });
}

const SKIP = new Set(["node_modules", "dist", "generated", "fixtures", "captures", "ir"]);

function walk(dir: string, out: string[]): string[] {
  for (const entry of readdirSync(dir).sort()) {
    if (SKIP.has(entry)) continue;
    const path = join(dir, entry);
    if (statSync(path).isDirectory()) walk(path, out);
    else if (/\.[mc]?[tj]s$/.test(entry)) out.push(path);
  }
  return out;
}

/** Every fault of the repository, and how many files were read. */
export function checkFloors(root: string): { faults: string[]; files: number } {
  const faults: string[] = [];
  let files = 0;
  for (const pkg of readdirSync(join(root, "packages")).sort()) {
    const dir = join(root, "packages", pkg);
    if (!existsSync(join(dir, "package.json"))) continue;
    const name = (path: string): string => relative(root, path).replaceAll(sep, "/");
    for (const entry of readdirSync(dir).sort()) {
      const path = join(dir, entry);
      if (SKIP.has(entry) || !statSync(path).isDirectory()) continue;
      for (const file of walk(path, [])) {
        files++;
        faults.push(...checkSource(name(file), readFileSync(file, "utf8")));
      }
    }
    for (const [file, check] of [
      ["package.json", checkManifest],
      ["modules.json", checkModules],
    ] as const) {
      const path = join(dir, file);
      if (existsSync(path)) faults.push(...check(name(path), readFileSync(path, "utf8")));
    }
  }
  return { faults, files };
}
