import type { Options } from "tsup";

/**
 * esbuild prints a namespace (`export * as ipv4 from ...`) as an object and a call that fills it, and that call keeps
 * the namespace and all it names in every bundle. The same as one pure expression can be left out.
 */
const shakeNamespaces: NonNullable<Options["plugins"]>[number] = {
  name: "shake-namespaces",
  renderChunk(code) {
    const fill = "((all) => { const target = {}; __export(target, all); return target; })";
    // as many lines as before: the source map stays right
    return {
      code: code.replace(
        /^var (\w+) = \{\};\n__export\(\1, \{$/gm,
        (_, name: string) => `var ${name} =\n/* @__PURE__ */ ${fill}({`,
      ),
    };
  },
};

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
    plugins: [shakeNamespaces],
    esbuildOptions(esbuild) {
      esbuild.conditions = ["@netoffload/source", "module", "import"];
    },
    ...options,
  };
}
