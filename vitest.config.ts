import { defineConfig } from "vitest/config";

// Tests read the packages' sources, so no build is needed; without externalConditions every
// cross-package import would fail when dist is absent.
const conditions = ["@netoffload/source", "module", "import", "default"];
const LIVE = ["packages/netoffload/test/live/**", "packages/linux/test/**"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["@netoffload/source"] } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["packages/*/test/**/*.test.ts", "scripts/**/*.test.ts"],
          exclude: [...LIVE, "**/node_modules/**"],
          testTimeout: 240_000,
        },
      },
      {
        // what talks to the running kernel: one file at a time, after the others, since namespaces, devices and the
        // kernel's timers are shared
        extends: true,
        test: {
          name: "live",
          include: LIVE.map((folder) => `${folder}/*.test.ts`),
          testTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    coverage: { provider: "v8", include: ["packages/*/src/**/*.ts"], reporter: ["text", "lcov"] },
  },
});
