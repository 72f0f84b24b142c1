/** Parsers: flow dissectors and XDP programs, with the map whose value XDP programs write their results to. */
import { readFileSync } from "node:fs";
import { ok } from "../errors.ts";
import { libc, type Mapping } from "../libc.ts";
import { StructBytes } from "../struct-bytes.ts";
import { BPF_ATTACH_TYPE, BPF_CMD, BPF_F_MMAPABLE, BPF_MAP_TYPE, BPF_PROG_TYPE } from "./constants.ts";
import { createMap } from "./map.ts";
import { BpfProgram } from "./program.ts";
import { type BpfRelocation, relocate } from "./relocate.ts";

/** Code of a parser. */
export interface ParserCode {
  readonly name: string;
  readonly kind: "flow_dissector" | "xdp";
  /** Instructions, 8 bytes each; not changed. */
  readonly text: Uint8Array;
  readonly relocations: readonly BpfRelocation[];
  /** Bytes of a CPU's slot; 0: the program has no map. */
  readonly slotBytes: number;
}

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const PAGE = 4096;

/** CPUs that may ever be there: one more than the highest number. */
export function possibleCpus(): number {
  const last = /(\d+)\s*$/.exec(readFileSync("/sys/devices/system/cpu/possible", "utf8"));
  return Number(last?.[1] ?? 0) + 1;
}

/** A loaded parser. Close it: it holds descriptors and mapped memory. */
export class LoadedParser {
  readonly program: BpfProgram;
  /** Slots, one behind the other by CPU; empty without a map. Not to be touched once closed. */
  readonly slots: Uint8Array<ArrayBuffer>;
  readonly #mapping: Mapping | null;
  #fd: number;

  /** Throws BpfVerifierError or LinuxError, and leaves nothing behind. */
  constructor(code: ParserCode) {
    const cpus = possibleCpus();
    const bytes = code.slotBytes * cpus;
    this.#fd = bytes === 0 ? -1 : slotMap(code.name, bytes);
    this.#mapping = null;
    this.slots = new Uint8Array(0);
    try {
      if (this.#fd >= 0) {
        const size = Math.ceil(bytes / PAGE) * PAGE;
        const mapping = libc().mmap(0n, size, PROT_READ_WRITE, MAP_SHARED, this.#fd);
        if (typeof mapping === "number") ok(mapping, `bpf: map the results of ${code.name}`);
        else {
          this.#mapping = mapping;
          this.slots = mapping.bytes.subarray(0, bytes);
        }
      }
      const flow = code.kind === "flow_dissector";
      this.program = new BpfProgram({
        type: flow ? BPF_PROG_TYPE.FLOW_DISSECTOR : BPF_PROG_TYPE.XDP,
        name: code.name,
        text: relocate(code.text, code.relocations, this.#fd < 0 ? {} : { state: this.#fd, slots: cpus }),
        ...(flow ? { attachType: BPF_ATTACH_TYPE.FLOW_DISSECTOR } : {}),
      });
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Give program and map back; what the program is attached to keeps both. May be called again. */
  close(): void {
    this.program.close();
    this.#release();
  }

  #release(): void {
    if (this.#fd < 0) return;
    if (this.#mapping !== null) libc().munmap(this.#mapping);
    libc().close(this.#fd);
    this.#fd = -1;
  }
}

function slotMap(name: string, bytes: number): number {
  return createMap({
    type: BPF_MAP_TYPE.ARRAY,
    name,
    keySize: 4,
    valueSize: bytes,
    maxEntries: 1,
    flags: BPF_F_MMAPABLE,
  });
}

/**
 * Runs of one packet program on bytes, one system call each, without a buffer made per packet.
 * @see BPF_PROG_TEST_RUN
 */
export class PacketRuns {
  /** The packet, from its first byte; put it there before a run. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** What the program leaves: a flow dissector its keys. */
  readonly out: Uint8Array<ArrayBuffer>;
  readonly #name: string;
  readonly #attr: StructBytes = new StructBytes(80);

  /** @param capacity - bytes of the longest packet; @param outBytes - of what is left; 0: it is not asked for */
  constructor(program: BpfProgram, capacity: number, outBytes: number, context?: StructBytes) {
    this.#name = program.name;
    this.data = new Uint8Array(capacity);
    this.out = new Uint8Array(outBytes);
    this.#attr.u32(0, program.fd).pointer(16, this.data);
    if (outBytes > 0) this.#attr.pointer(24, this.out);
    if (context !== undefined) this.#attr.u32(40, context.bytes.length).pointer(48, context);
  }

  /** @param length - bytes of the packet. @returns the program's return value; throws LinuxError */
  run(length: number, repeat = 1): number {
    this.#attr.u32(8, length).u32(12, this.out.length).u32(32, repeat);
    const done = libc().bpf(BPF_CMD.PROG_TEST_RUN, this.#attr);
    if (done < 0) ok(done, `bpf: run ${this.#name} on ${length} bytes`);
    return this.#attr.getU32(4);
  }

  /** Nanoseconds of one repetition of the last run. */
  get nanoseconds(): number {
    return this.#attr.getU32(36);
  }
}
