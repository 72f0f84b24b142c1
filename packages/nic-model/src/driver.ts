/**
 * The driver: decides per packet whether its device can do what is asked, writes descriptors, falls back to the
 * host image of the same program, and turns completions into skb fields. It implements what devlink and the
 * offload manager ask of a driver.
 */

import { compileNpu } from "@netoffload/cpr-ir";
import {
  type HostPrograms,
  hostPrograms,
  type LegacyCsumCaps,
  skbCsumHwoffloadLegacyCheck,
} from "@netoffload/csum";
import {
  type Answer,
  type Bundle,
  type BundleProgram,
  type DevlinkInfo,
  type DevlinkOps,
  grant,
  type OffloadEntry,
  type OffloadFunction,
  type OffloadOps,
  type ReloadAction,
  refuse,
} from "@netoffload/devlink";
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  FUNCTION_NUMBER,
  type Memory,
  SKB_SHARED_INFO_OFF as S,
  SkBuff,
} from "@netoffload/skbuff";
import { COMPLETION, type Completion, CSUM_MODE, encodeTx, newTxDescriptor } from "./descriptor.ts";
import type { NicDevice, WireSink } from "./device.ts";
import { knownAnswerTest } from "./known-answers.ts";
import { legacyCsumCaps, lengthsUnfit, locateHeaders } from "./legacy-caps.ts";
import { Npu } from "./npu.ts";

/** The driver counts and computes itself what the device cannot. */
const NO_HELP = { help: false };
const FRAGS_OFF = 24;
const FRAG_SIZE = 12;

/** What became of a packet handed to {@link NicDriver.xmit}. */
export const XMIT = { offloaded: 0, plain: 1, fallback: 2, dropped: 3 } as const;

/** Counters of a driver; reasons by name. */
export interface DriverCounters {
  txOffloaded: number;
  txFallback: Record<string, number>;
  txDropped: Record<string, number>;
  rxComplete: number;
  rxConverted: number;
  rxNone: number;
  /** Results of another generation than the enabled one, not used. */
  rxStale: number;
}

/** The driver of one device. */
export class NicDriver implements OffloadOps, DevlinkOps {
  readonly device: NicDevice;
  readonly counters: DriverCounters = {
    txOffloaded: 0,
    txFallback: {},
    txDropped: {},
    rxComplete: 0,
    rxConverted: 0,
    rxNone: 0,
    rxStale: 0,
  };
  /** Why the last packet was not offloaded; empty when it was. */
  lastReason = "";
  readonly driverName = "offsim";
  readonly reloadActions: readonly ReloadAction[];
  readonly reloadLimits: readonly "no_reset"[];
  readonly #memory: Memory;
  /** The host image of the same programs: what the kernel runs. */
  readonly host: HostPrograms;
  readonly #skb: SkBuff;
  readonly #descriptor = newTxDescriptor();
  readonly #caps: LegacyCsumCaps;
  /**
   * Ask skb_csum_hwoffload_legacy_check before a fixed-function device; false: the driver of before the paper, which
   * hands every packet to its device.
   */
  legacyCheck = true;
  /** Bytes of the link layer before L3: 14 on Ethernet, 0 where packets begin with IP. */
  l2Length: number;
  /** Packets in the device: cookie to skb. */
  readonly #pending: Map<number, number> = new Map();

  /**
   * @param memory - the host memory, the same the device reaches
   * @param l2Length - bytes of the link layer, 14 or 0
   * @param host - what the kernel runs; default: the shipped programs
   */
  constructor(device: NicDevice, memory: Memory, l2Length = 14, host: HostPrograms = hostPrograms(memory)) {
    this.device = device;
    this.#memory = memory;
    this.host = host;
    this.#skb = new SkBuff(memory, 0);
    this.l2Length = l2Length;
    this.#caps = legacyCsumCaps(device.profile);
    const programmable = device.profile.program !== null;
    this.reloadActions = programmable
      ? ["driver_reinit", "fw_activate", "parser_fetch"]
      : ["driver_reinit", "fw_activate"];
    this.reloadLimits = programmable ? ["no_reset"] : [];
  }

  // --- transmit

  /**
   * Hand a packet to the device: a descriptor in the ring, after software has done what the device cannot.
   * The skb stays the caller's. @returns one of XMIT; {@link lastReason} says why it is not `offloaded`
   */
  xmit(address: number, cookie: number): number {
    const skb = this.#skb.at(address);
    this.lastReason = "";
    if (skb.ipSummed !== CHECKSUM_PARTIAL)
      return this.#post(skb, CSUM_MODE.none, 0, 0, cookie) ? XMIT.plain : this.#drop("ring full");
    const mode = this.#decide(skb);
    if (typeof mode === "string") return this.#fallBack(skb, mode, cookie);
    if (!this.#post(skb, mode.mode, mode.l3, mode.l4, cookie)) return this.#drop("ring full");
    this.counters.txOffloaded++;
    return XMIT.offloaded;
  }

  /** What the device can be asked for, or why it cannot. */
  #decide(skb: SkBuff): { mode: number; l3: number; l4: number } | string {
    if (this.device.profile.program !== null) {
      if (!this.device.isEnabled(FUNCTION_NUMBER.tx_csum)) return "not_enabled";
      const start = skb.checksumStartOffset;
      if (skb.isGso) return "gso";
      if (start < 0 || start > this.device.profile.tx.csum.startMax) return "csum_start";
      if (skb.fragList !== 0) return "frag_list";
      if (skb.unreadable !== 0 && skb.isNonlinear) return "unreadable";
      return skb.csumNotInet === 0 ? GENERIC : CRC;
    }
    return this.#decideLegacy(skb);
  }

  /** A fixed-function device: by its capabilities, packet for packet. */
  #decideLegacy(skb: SkBuff): { mode: number; l3: number; l4: number } | string {
    const { csum } = this.device.profile.tx;
    if (csum.mode === "none") return "no_csum";
    if (!this.legacyCheck) return unchecked(skb, csum.mode === "generic");
    locateHeaders(skb, this.l2Length);
    if (csum.mode === "generic") {
      if (skb.isGso) return "gso";
      if (skb.csumNotInet !== 0) return "sctp-crc";
      const start = skb.checksumStartOffset;
      if (start < 0 || start > csum.startMax) return "l4-offset";
      return { mode: CSUM_MODE.generic, l3: 0, l4: skb.csumOffset === 6 ? 17 : 6 };
    }
    const found = skbCsumHwoffloadLegacyCheck(skb, this.#caps, NO_HELP);
    if (found.verdict !== "offload") return found.reason;
    const unfit = lengthsUnfit(skb, this.device.profile);
    return unfit !== "" ? unfit : { mode: CSUM_MODE.typed, l3: found.l3, l4: found.l4 };
  }

  /** Let software do it, then send the packet as it is. */
  #fallBack(skb: SkBuff, reason: string, cookie: number): number {
    const errno = this.host.txCsum(skb.address);
    if (errno !== 0) return this.#drop(`errno ${errno}`);
    this.lastReason = reason;
    this.counters.txFallback[reason] = (this.counters.txFallback[reason] ?? 0) + 1;
    return this.#post(skb, CSUM_MODE.none, 0, 0, cookie) ? XMIT.fallback : this.#drop("ring full");
  }

  #drop(reason: string): number {
    this.lastReason = reason;
    this.counters.txDropped[reason] = (this.counters.txDropped[reason] ?? 0) + 1;
    return XMIT.dropped;
  }

  #post(skb: SkBuff, mode: number, l3: number, l4: number, cookie: number): boolean {
    const ring = this.device.txRing;
    const at = ring.produce();
    if (at < 0) return false;
    if (skb.fragList !== 0 && skb.skbLinearize() !== 0) return false;
    const d = this.#descriptor;
    const { view } = this.#memory;
    d.csumMode = mode;
    d.csumStart = mode === CSUM_MODE.none ? 0 : skb.checksumStartOffset;
    d.csumOffset = mode === CSUM_MODE.none ? 0 : skb.csumOffset;
    d.l3 = l3;
    d.l4 = l4;
    d.length = skb.len;
    d.cookie = cookie;
    d.buffers = 1;
    d.address[0] = skb.data;
    d.size[0] = skb.headlen;
    const end = skb.end;
    for (let i = 0; i < view.getUint8(end + S.nrFrags); i++) {
      const frag = end + FRAGS_OFF + FRAG_SIZE * i;
      d.address[d.buffers] = view.getUint32(frag, true) + view.getUint32(frag + 4, true);
      d.size[d.buffers++] = view.getUint32(frag + 8, true);
    }
    encodeTx(ring.view, at, d);
    ring.commit();
    this.#pending.set(cookie, skb.address);
    return true;
  }

  /**
   * Let the device send what waits. A packet that its program gave up (errno, trap, watchdog) is done by software
   * and sent all the same: `wire` then gets the host's bytes, and the completion still says what the device said.
   */
  flush(wire: WireSink): void {
    this.device.transmit((frame, c) => {
      const address = this.#pending.get(c.cookie);
      this.#pending.delete(c.cookie);
      if (c.status === COMPLETION.ok || address === undefined) {
        wire(frame, c);
        return;
      }
      const reason = failureOf(c);
      this.counters.txFallback[reason] = (this.counters.txFallback[reason] ?? 0) + 1;
      const skb = this.#skb.at(address);
      if (skb.ipSummed === CHECKSUM_PARTIAL && this.host.txCsum(address) !== 0) {
        this.#drop("software");
        return;
      }
      wire(skb.toBytes(), c);
    });
  }

  // --- receive

  /**
   * Fill an skb (data at L3) from a completion.
   * @returns the verdict's source: `complete`, `converted`, `none`, `stale`, `failed`
   */
  completeRx(address: number, c: Completion): "complete" | "converted" | "none" | "stale" | "failed" {
    const skb = this.#skb.at(address);
    skb.ipSummed = CHECKSUM_NONE;
    if (c.status !== COMPLETION.ok) {
      this.counters.rxNone++;
      return "failed";
    }
    if (c.ipSummed === CHECKSUM_COMPLETE && this.device.profile.program === null) {
      const { rx, faults } = this.device.profile;
      if (c.length <= rx.csum.shortFrameMax && !faults.includes("pad-not-summed")) {
        this.counters.rxNone++;
        return "none";
      }
      skb.ipSummed = CHECKSUM_COMPLETE;
      skb.csum = c.csum;
      this.counters.rxComplete++;
      return "complete";
    }
    if (c.ipSummed === CHECKSUM_COMPLETE) {
      if (!this.device.isEnabled(FUNCTION_NUMBER.rx_csum) || c.generation !== this.device.generation) {
        this.counters.rxStale++;
        return "stale";
      }
      skb.ipSummed = CHECKSUM_COMPLETE;
      skb.csum = c.csum;
      this.counters.rxComplete++;
      return "complete";
    }
    if (c.ipSummed === CHECKSUM_UNNECESSARY) {
      skb.ipSummed = CHECKSUM_UNNECESSARY;
      skb.csumLevel = c.csumLevel;
      this.counters.rxConverted++;
      return "converted";
    }
    this.counters.rxNone++;
    return "none";
  }

  // --- the offload interface

  ndoOffloadQuery(fn: OffloadFunction): Answer<readonly OffloadEntry[]> {
    if (this.device.profile.program === null) return refuse("EOPNOTSUPP");
    const entries = this.device.programs
      .filter((p) => p.name === fn)
      .map((p): OffloadEntry => {
        const active = this.device.isEnabled(p.functionNumber);
        return {
          function: fn,
          sha256: p.sha256,
          abi: p.abi,
          generation: this.device.generation,
          slot: this.device.activeSlot,
          state: active ? "active" : "loaded",
          flags: [],
          resUsed: p.resources,
          resMax: { ...this.programmable?.resources },
        };
      });
    return entries.length === 0 ? refuse("ENODATA") : grant(entries);
  }

  ndoOffloadSet(fn: OffloadFunction, slot: number | null, generation: number): Answer<null> {
    if (generation !== this.device.generation) return refuse("ESTALE");
    const program = this.device.programs.find((p) => p.name === fn);
    if (program === undefined) return refuse("ENODATA");
    if (slot !== null && slot !== this.device.activeSlot) return refuse("EINVAL");
    this.device.enable(program.functionNumber, slot !== null);
    return grant(null);
  }

  knownAnswerTest(fn: OffloadFunction): string | null {
    const program = this.device.programs.find((p) => p.name === fn);
    return program === undefined ? null : knownAnswerTest(this.device, program);
  }

  legacy(fn: OffloadFunction): boolean {
    const { tx, rx, program } = this.device.profile;
    if (program !== null) return false;
    return fn === "tx_csum" ? tx.csum.mode !== "none" : fn === "rx_csum" && rx.csum.report !== "none";
  }

  // --- devlink

  infoGet(): DevlinkInfo {
    return {
      serialNumber: "52-54-00-ff-fe-12-34-56",
      boardSerialNumber: "OS0001",
      fixed: [
        ["board.id", "OSIM1"],
        ["asic.id", this.device.profile.name],
      ],
      running: [["fw", "1.0.0"]],
      stored: [["fw", "1.0.0"]],
    };
  }

  reloadDown(): Answer<null> {
    return grant(null);
  }

  reloadUp(action: ReloadAction): Answer<readonly ReloadAction[]> {
    return grant([action]);
  }

  get programmable(): DevlinkOps["programmable"] {
    const { program } = this.device.profile;
    if (program === null) return null;
    const { instructions, stack, memory } = program;
    return {
      abi: program.abi,
      targets: program.targets,
      describe: "npu",
      resources: { instructions, stack, memory },
    };
  }

  codeMatchesIr(program: BundleProgram): boolean | null {
    return (["units", "loops"] as const).some((accel) => {
      const again = compileNpu(program.ir, { functionNumber: program.functionNumber, accel });
      return (
        again.ok &&
        again.value.text.length === program.text.length &&
        again.value.text.every((b, i) => b === program.text[i])
      );
    });
  }

  parserLoad(bundle: Bundle): Answer<null> {
    const refused = this.device.stage(bundle);
    return refused === null ? grant(null) : refuse("EINVAL", `device refuses the program: ${refused}`);
  }

  parserDiscard(): void {
    this.device.discard();
  }

  parserActivate(): Answer<number> {
    return grant(this.device.activate());
  }

  parserRollback(): boolean {
    this.device.rollback();
    return true;
  }

  parserCommit(): void {
    this.device.discard();
  }

  parserLoaded(): readonly { readonly name: string; readonly sha256: string }[] {
    return this.device.programs.map(({ name, sha256 }) => ({ name, sha256 }));
  }
}

/** Why the device gave a packet back: `trap_budget`, `errno_22`, `refused`; empty when it did not. */
export function failureOf(c: Completion): string {
  if (c.status === COMPLETION.ok) return "";
  if (c.status === COMPLETION.trap) return `trap_${Npu.trapName(c.code).toLowerCase()}`;
  return c.status === COMPLETION.errno ? `errno_${-c.code}` : "refused";
}

/** Without a look at the packet: what csum_offset hints at. */
function unchecked(skb: SkBuff, generic: boolean): { mode: number; l3: number; l4: number } {
  const l4 = skb.csumOffset === 16 ? 6 : skb.csumOffset === 6 ? 17 : 0;
  return { mode: generic ? CSUM_MODE.generic : CSUM_MODE.typed, l3: 0, l4 };
}

const CRC = { mode: CSUM_MODE.crc32c, l3: 0, l4: 132 };
const GENERIC = { mode: CSUM_MODE.generic, l3: 0, l4: 0 };
