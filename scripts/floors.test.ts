import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { checkFloors, checkManifest, checkModules, checkSource } from "./floors.ts";

test.each([
  ["up by name", "packages/csum/src/a.ts", 'import { x } from "@netoffload/devlink";'],
  ["within a floor", "packages/csum/test/a.test.ts", 'import type { x } from "@netoffload/cpr-ir";'],
  ["within floor 0", "packages/pcap/bench/a.bench.ts", 'export * from "@netoffload/skbuff";'],
  ["up to the top", "packages/nic-model/src/a.ts", 'import "netoffload";'],
  ["later than the head", "packages/skbuff/src/a.ts", '\n\nawait import("@netoffload/csum");'],
  [
    "relative, AssemblyScript",
    "packages/skbuff/program/a.ts",
    'import { f } from "../../csum/program/arith";',
  ],
  [
    "relative, a test",
    "packages/devlink/test/a/b.test.ts",
    'import { f } from "../../../nic-model/src/npu.ts";',
  ],
  ["out of the packages", "packages/csum/test/a.test.ts", 'import { f } from "../../../scripts/ir.ts";'],
  [
    "down, but into another's files",
    "packages/csum/src/a.ts",
    'import { f } from "../../skbuff/src/memory.ts";',
  ],
  ["internal uses nobody", "packages/internal/src/a.ts", 'import { f } from "@netoffload/skbuff";'],
  ["unknown package", "packages/csum/src/a.ts", 'import { f } from "@netoffload/nowhere";'],
])("refuses %s", (_what, file, text) => {
  expect(checkSource(file, text)).toHaveLength(1);
});

test.each([
  ["down by name", "packages/csum/src/a.ts", 'import { x } from "@netoffload/skbuff";'],
  ["internal", "packages/pcap/src/a.ts", 'import { x } from "@netoffload/internal";'],
  ["down, AssemblyScript", "packages/csum/program/a.ts", 'import { f } from "../../skbuff/program/sk-buff";'],
  [
    "itself",
    "packages/csum/test/ref/a.ts",
    'import { f } from "../../src/index.ts"; import "@netoffload/csum";',
  ],
  ["others", "packages/netoffload/src/a.ts", 'import { readFileSync } from "node:fs";'],
  ["a comment", "packages/csum/src/a.ts", '// import { x } from "@netoffload/devlink";\nexport {};'],
])("allows %s", (_what, file, text) => {
  expect(checkSource(file, text)).toEqual([]);
});

test("names file, line and floors", () => {
  expect(checkSource("packages/csum/src/a.ts", '\n\nimport "@netoffload/devlink";')).toEqual([
    'packages/csum/src/a.ts:3: import of "@netoffload/devlink": csum (floor 1) must not use devlink (floor 2)',
  ]);
});

test("dependencies and modules count too", () => {
  const file = "packages/csum/package.json";
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"])
    expect(
      checkManifest(file, JSON.stringify({ [kind]: { "@netoffload/devlink": "workspace:^", x: "1" } })),
    ).toHaveLength(1);
  expect(checkManifest(file, '{"dependencies":{"@netoffload/skbuff":"workspace:^"}}')).toEqual([]);
  expect(
    checkModules("packages/skbuff/modules.json", '{"host":[{"entry":"../csum/check/walk.ts"}]}'),
  ).toHaveLength(1);
  expect(
    checkModules("packages/csum/modules.json", '{"host":[{"entry":"../skbuff/accel/crc32c.ts"}]}'),
  ).toEqual([]);
});

test("walks a whole tree, and this repository is clean", () => {
  const root = mkdtempSync(join(tmpdir(), "netoffload-floors-"));
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  put("packages/pcap/package.json", "{}");
  put("packages/pcap/src/deep/er.ts", 'import "@netoffload/skbuff";');
  put("packages/pcap/dist/index.js", 'import "netoffload";');
  put("packages/new/package.json", '{"dependencies":{"@netoffload/pcap":"*"}}');
  expect(checkFloors(root)).toEqual({
    files: 1,
    faults: [
      "packages/new/package.json: package new has no floor (scripts/floors.ts)",
      'packages/pcap/src/deep/er.ts:1: import of "@netoffload/skbuff": pcap (floor 0) must not use skbuff (floor 0)',
    ],
  });
  rmSync(root, { recursive: true });
  const here = checkFloors(fileURLToPath(new URL("..", import.meta.url)));
  expect(here.faults).toEqual([]);
  expect(here.files).toBeGreaterThan(100);
});
