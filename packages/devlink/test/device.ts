/** A driver with two slots for tests, images for it, and ways for it to misbehave. */
import { readFileSync } from "node:fs";
import { canonicalModule, compileNpu, type ImageInput, IR_KIND, orThrow, TARGET } from "@netoffload/cpr-ir";
import {
  type Answer,
  type Bundle,
  type BundleProgram,
  type DevlinkInfo,
  type DevlinkOps,
  type FirmwareSource,
  grant,
  type ReloadAction,
  type ReloadContext,
  refuse,
  type StatusMessage,
} from "../src/index.ts";

export const ROOM = {
  instructions: 4096,
  stack: 4096,
  memory: 1 << 20,
  table_entries: 0,
  states: 0,
  key_bits: 0,
  metadata_bytes: 0,
};

/** What goes wrong, one switch each. */
export interface Faults {
  down?: boolean;
  up?: boolean;
  load?: boolean;
  activate?: boolean;
  /** The device reports other programs than were loaded. */
  lies?: boolean;
  rollback?: boolean;
  throws?: string;
  codeMismatch?: boolean;
}

export class TwoSlotDriver implements DevlinkOps {
  readonly driverName = "offsim";
  reloadActions: readonly ReloadAction[] = ["driver_reinit", "fw_activate", "parser_fetch"];
  reloadLimits: readonly "no_reset"[] = ["no_reset"];
  programmable: DevlinkOps["programmable"] = { abi: 1, targets: [3], describe: "npu", resources: ROOM };
  faults: Faults = {};
  info: DevlinkInfo = { fixed: [], running: [], stored: [] };
  /** Every call that changes something, in order. */
  calls: string[] = [];
  active: Bundle | null = null;
  staging: Bundle | null = null;
  private former: Bundle | null = null;
  generation = 0;
  performed: readonly ReloadAction[] | null = null;

  infoGet(): DevlinkInfo {
    return this.info;
  }

  reloadDown(action: ReloadAction, noReset: boolean): Answer<null> {
    this.call(`down ${action}${noReset ? " no_reset" : ""}`);
    return this.faults.down ? refuse("EBUSY", "rings do not drain") : grant(null);
  }

  reloadUp(action: ReloadAction): Answer<readonly ReloadAction[]> {
    this.call(`up ${action}`);
    return this.faults.up ? refuse("EIO", "firmware does not answer") : grant(this.performed ?? [action]);
  }

  codeMatchesIr(_program: BundleProgram): boolean | null {
    return this.faults.codeMismatch ? false : null;
  }

  parserLoad(bundle: Bundle): Answer<null> {
    this.call("load");
    this.staging = bundle;
    return this.faults.load ? refuse("ENOMEM", "staging slot is too small") : grant(null);
  }

  parserDiscard(): void {
    this.call("discard");
    this.staging = null;
  }

  parserActivate(): Answer<number> {
    this.call("activate");
    if (this.faults.activate) return refuse("EIO", "pointer did not flip");
    this.former = this.active;
    this.active = this.staging;
    this.staging = null;
    return grant(++this.generation);
  }

  parserRollback(): boolean {
    this.call("rollback");
    if (this.faults.rollback) return false;
    this.active = this.former;
    this.generation--;
    return true;
  }

  parserCommit(): void {
    this.call("commit");
    this.former = null;
  }

  parserLoaded(): readonly { readonly name: string; readonly sha256: string }[] {
    const programs = this.active?.programs ?? [];
    return programs.map(({ name, sha256 }) => ({
      name,
      sha256: this.faults.lies ? `sha256:${"0".repeat(64)}` : sha256,
    }));
  }

  private call(name: string): void {
    this.calls.push(name);
    if (this.faults.throws === name) throw new Error(`${name} fell over`);
  }
}

const compiled = new Map<string, ImageInput>();

/** A shipped program, compiled for the NPU. */
export function program(name: "tx_csum" | "rx_csum", more: Partial<ImageInput> = {}): ImageInput {
  let found = compiled.get(name);
  if (found === undefined) {
    const functionNumber = name === "tx_csum" ? 1 : 2;
    const file = new URL(`../../csum/ir/${name}.wasm`, import.meta.url);
    const ir = orThrow(canonicalModule(readFileSync(file)));
    const { text, resources } = orThrow(compileNpu(ir, { functionNumber }));
    found = { name, functionNumber, target: TARGET.npu, irKind: IR_KIND.wasm, ir, text, resources };
    compiled.set(name, found);
  }
  return { ...found, ...more };
}

/** A firmware root of files by name. */
export function firmware(files: Readonly<Record<string, Uint8Array>>): FirmwareSource {
  return {
    read(path) {
      const bytes = files[path.replace("/lib/firmware/", "")];
      return bytes === undefined ? refuse("ENOENT") : grant({ bytes, realPath: path });
    },
  };
}

/** Surroundings of a reload that note what happens. */
export function context(
  files: Readonly<Record<string, Uint8Array>>,
  driver?: TwoSlotDriver,
): ReloadContext & { status: StatusMessage[] } {
  const status: StatusMessage[] = [];
  return {
    status,
    firmware: firmware(files),
    firmwareConfig: {},
    policy: {},
    onStatus: (message) => status.push(message),
    suspendOffloads: () => driver?.calls.push("suspend"),
    reevaluateOffloads: () => driver?.calls.push("reevaluate"),
  };
}
