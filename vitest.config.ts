import { defineConfig } from "vitest/config";

// Tests read the packages' sources, so no build is needed; without externalConditions every
// cross-package import would fail when dist is absent.
const conditions = ["@netoffload/source", "module", "import", "default"];

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
          exclude: ["packages/netoffload/test/live/**", "**/node_modules/**"],
          testTimeout: 60_000,
        },
      },
    ],
    coverage: { provider: "v8", include: ["packages/*/src/**/*.ts"], reporter: ["text", "lcov"] },
  },
});
