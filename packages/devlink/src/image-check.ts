/**
 * The container checks of a program image, in their normative order; the first failure wins and nothing on
 * the device is touched before the last one passes. Checks 1 to 8 and 10 read the image alone and belong to
 * `@netoffload/cpr-ir`; 9, 11 and 12 compare it with the device.
 * @remarks not in the kernel
 */
import { readImage } from "@netoffload/cpr-ir";
import { type Answer, type ErrnoName, grant, refuse } from "./errno.ts";
import type { Bundle, BundleProgram, DevlinkOps, Resources } from "./ops.ts";

/** What a site demands beyond the checks that are always made. */
export interface ImagePolicy {
  /**
   * Check 11: lower the embedded IR again and compare with the code. Default true. Without it an equal hash
   * proves only that the IR is equal, and the code is trusted to its compiler.
   */
  readonly checkCode?: boolean;
}

const TARGETS: Readonly<Record<number, string>> = { 1: "wasm", 2: "ebpf", 3: "npu", 4: "tcam" };

/** Check an image against a device; never throws, whatever the bytes. */
export function checkImage(
  bytes: Uint8Array,
  file: string,
  ops: DevlinkOps,
  policy: ImagePolicy = {},
): Answer<Bundle> {
  const device = ops.programmable;
  if (device === null) return refuse("EOPNOTSUPP", "device is not programmable");
  // check 9 stands between those of the container
  const image = readImage(bytes, (programs) => {
    const foreign = programs.find((p) => !device.targets.includes(p.target) || p.abi !== device.abi);
    if (foreign === undefined) return null;
    const target = TARGETS[foreign.target] ?? foreign.target;
    const message = `${wordFor(programs)} image is for target ${target}, device is ${device.describe}`;
    return { check: 9, errno: "ENOEXEC", message };
  });
  if (!image.ok) {
    const first = image.diagnostics[0];
    return refuse(
      (first?.errno ?? "EINVAL") as ErrnoName,
      first?.message ?? "not a program image",
      first?.check,
    );
  }
  const word = wordFor(image.value.programs);
  if (policy.checkCode !== false)
    for (const p of image.value.programs)
      if (ops.codeMatchesIr?.(p) === false)
        return refuse("EBADMSG", `${word} code does not correspond to its IR`, 11);
  const programs = image.value.programs.map((p) => measured(p, ops));
  const short = shortage(programs, device.resources);
  if (short !== null)
    return refuse("ENOSPC", `${word} needs ${short.need} ${short.name}, device has ${short.have}`, 12);
  return grant({ file, programs, image: new Uint8Array(bytes) });
}

/** A program with what it really takes. */
function measured(program: BundleProgram, ops: DevlinkOps): BundleProgram {
  const counted = ops.measure?.(program) ?? null;
  if (counted === null) return program;
  const resources: Record<string, number> = { ...program.resources };
  for (const [name, amount] of Object.entries(counted))
    resources[name] = Math.max(resources[name] ?? 0, amount);
  return { ...program, resources };
}

/** What messages call a bundle. */
function wordFor(programs: readonly { readonly irKind: number }[]): "parser" | "program" {
  return programs.every((p) => p.irKind === 1) ? "parser" : "program";
}

/** Resources that add up over a bundle; the others (stack, key bits) are needed by one program at a time. */
const ADDITIVE: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "instructions",
  "memory",
  "table_entries",
  "states",
  "metadata_bytes",
]);

/** What a bundle takes of a device, its programs together. */
export function neededResources(programs: readonly BundleProgram[]): Resources {
  const need: Record<string, number> = {};
  for (const program of programs)
    for (const [name, amount] of Object.entries(program.resources))
      need[name] = ADDITIVE.has(name) ? (need[name] ?? 0) + amount : Math.max(need[name] ?? 0, amount);
  return need;
}

function shortage(
  programs: readonly BundleProgram[],
  have: Resources,
): { name: string; need: number; have: number } | null {
  for (const [name, amount] of Object.entries(neededResources(programs)))
    if (amount > (have[name] ?? 0)) return { name, need: amount, have: have[name] ?? 0 };
  return null;
}
