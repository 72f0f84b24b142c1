/**
 * What a driver implements so that devlink can drive it. devlink knows no NIC: these interfaces are all it
 * sees of one, and `@netoffload/nic-model` implements them.
 */
import type { Answer } from "./errno.ts";

/** Functions the paper names; each may have one program in the kernel and one in the device. */
export type OffloadFunction =
  | "parser"
  | "flow_dissector"
  | "toeplitz"
  | "siphash"
  | "tx_csum"
  | "rx_csum"
  | "gso"
  | "gro"
  | "classify";

/**
 * Amounts of a resource by name: instructions, stack, memory; of a parser engine table_entries, states, key_bits,
 * metadata_bytes, window_bytes, steps_per_entry, bytes_per_entry, registers, states_per_packet.
 */
export type Resources = Readonly<Record<string, number>>;

/** One program a device holds, as `ndo_offload_query` reports it. @remarks not in the kernel */
export interface OffloadEntry {
  readonly function: OffloadFunction;
  /** `sha256:` + 64 hex of the hashed IR; empty when the device knows only a SHA-1 (then the entry is reason ABI). */
  readonly sha256: string;
  readonly abi: number;
  /** Bundle generation the program came with. */
  readonly generation: number;
  readonly slot: number;
  readonly state: "active" | "loaded" | "failed";
  readonly flags: readonly ("STATEFUL" | "PER_QUEUE" | "NEEDS_META" | "BUILTIN")[];
  readonly resUsed: Resources;
  readonly resMax: Resources;
}

/**
 * The kernel-driver interface of the paper, as a netdev's operations.
 * @remarks not in the kernel
 */
export interface OffloadOps {
  /**
   * List the programs loaded for one function, in a stable order.
   * @returns the entries, or ENODATA (none loaded), EOPNOTSUPP (not programmable, or unknown function), EBUSY
   *   (a reload runs)
   */
  ndoOffloadQuery(fn: OffloadFunction): Answer<readonly OffloadEntry[]>;
  /**
   * Turn a function's program on (slot) or off (null).
   * @param generation - as seen in the query; ESTALE when a reload happened in between
   */
  ndoOffloadSet(fn: OffloadFunction, slot: number | null, generation: number): Answer<null>;
  /**
   * Known-answer test of every acceleration unit that the program imports.
   * @returns null when all answer right, else the name of the first unit that does not
   */
  knownAnswerTest(fn: OffloadFunction, slot: number): string | null;
  /** True when the device has a fixed-function engine for this function (the driver decides per packet). */
  legacy(fn: OffloadFunction): boolean;
}

/** Versions for `devlink dev info`; each name at most once per group, empty values are left out. */
export interface DevlinkInfo {
  readonly serialNumber?: string;
  readonly boardSerialNumber?: string;
  readonly fixed: readonly (readonly [name: string, value: string])[];
  readonly running: readonly (readonly [name: string, value: string])[];
  readonly stored: readonly (readonly [name: string, value: string])[];
}

/** `devlink dev reload` actions; parser_fetch (3) is the paper's. */
export type ReloadAction = "driver_reinit" | "fw_activate" | "parser_fetch";

/** One program of a bundle, checked and ready for the device. */
export interface BundleProgram {
  /** Function name, as in `tx_csum`. */
  readonly name: string;
  /** Number of the function's static region (ABI 1 memory map). */
  readonly functionNumber: number;
  /** 1 wasm, 2 ebpf, 3 npu, 4 tcam. */
  readonly target: number;
  /** 1 CPR, 2 WebAssembly. */
  readonly irKind: number;
  /** Exactly the hashed bytes. */
  readonly ir: Uint8Array;
  /** The device's code. */
  readonly text: Uint8Array;
  readonly resources: Resources;
  readonly sha256: string;
  readonly sha1: string;
  readonly abi: number;
}

/** A whole image after the container checks. */
export interface Bundle {
  /** Name under which the firmware was asked for. */
  readonly file: string;
  readonly programs: readonly BundleProgram[];
  /** The image's bytes, for the `parser-image` region. */
  readonly image: Uint8Array;
}

/** The driver's side of one devlink instance. */
export interface DevlinkOps {
  readonly driverName: string;
  infoGet(): DevlinkInfo;
  readonly reloadActions: readonly ReloadAction[];
  /** `no_reset` when listed: a hitless swap is possible. */
  readonly reloadLimits: readonly "no_reset"[];
  reloadDown(action: ReloadAction, noReset: boolean): Answer<null>;
  /** @returns the actions that were performed, the asked one among them */
  reloadUp(action: ReloadAction, noReset: boolean): Answer<readonly ReloadAction[]>;
  /** Images this device runs; null when it is not programmable. */
  readonly programmable: {
    readonly abi: number;
    readonly targets: readonly number[];
    /** Word for messages: `parser image is for target T, device is U`. */
    readonly describe: string;
    readonly resources: Resources;
  } | null;
  /**
   * What a program takes, counted by the driver in the code: what an image says of itself is not what it holds.
   * Container check 12 takes the larger of both. Null when the driver cannot tell.
   */
  measure?(program: BundleProgram): Resources | null;
  /**
   * Container check 11: does the code belong to the IR? Null when the driver cannot tell.
   */
  codeMatchesIr?(program: BundleProgram): boolean | null;
  /** Load into the staging slot; nothing of the active one may change. */
  parserLoad(bundle: Bundle): Answer<null>;
  /** Throw the staging slot away. */
  parserDiscard(): void;
  /** Flip staging and active at a packet boundary; the old bundle is kept until {@link parserCommit}. @returns the new generation */
  parserActivate(): Answer<number>;
  /** Flip back after a failed post-check. False: the device is now without a program it can trust. */
  parserRollback(): boolean;
  /** Free the old bundle. */
  parserCommit(): void;
  /** What the device itself says it runs now. */
  parserLoaded(): readonly { readonly name: string; readonly sha256: string }[];
}
