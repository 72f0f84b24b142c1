import type { Options } from "tsup";

/** Build settings every package shares; only entries and platform differ. */
export function base(options: Pick<Options, "entry" | "platform">): Options {
  return {
    format: ["esm"],
    target: "es2022",
    // tsup sets baseUrl itself, which TypeScript 6 calls deprecated.
    // internal's types are inlined like its code, or the published types would name a package nobody has.
    dts: { resolve: [/^@netoffload\/internal$/], compilerOptions: { ignoreDeprecations: "6.0" } },
    sourcemap: true,
    clean: true,
    splitting: true,
    // private, so its code and types are inlined
    noExternal: ["@netoffload/internal"],
    esbuildOptions(esbuild) {
      esbuild.conditions = ["@netoffload/source", "module", "import"];
    },
    ...options,
  };
}
