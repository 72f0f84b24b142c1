import type { Options } from "tsup";
import { base } from "../../tsup.base.ts";

// Only the types: the code is inlined from src by each package, its declarations from here.
const config: Options = {
  ...base({ entry: ["src/index.ts"], platform: "neutral" }),
  dts: { only: true, compilerOptions: { ignoreDeprecations: "6.0" } },
};
export default config;
