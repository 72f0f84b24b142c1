/**
 * The driver: decides per packet whether its device can do what is asked, writes descriptors, falls back to the
 * host image of the same program, and turns completions into skb fields. It implements what devlink and the
 * offload manager ask of a driver.
 */

import { compileNpu, TARGET, tcamResources } from "@netoffload/cpr-ir";
import {
  type ConvertReason,
  type HostPrograms,
  hostPrograms,
  type LegacyCsumCaps,
  skbCsumRxLegacyConvertUnnecessary,
  type UdpTunnels,
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
  type Resources,
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
import { completeFromDevice, typeBehind, vouches } from "./fixed-report.ts";
import { knownAnswerTest } from "./known-answers.ts";
import { deviceTunnels, legacyCsumCaps } from "./legacy-caps.ts";
import { type Asked, decideLegacy } from "./legacy-decide.ts";
import { Npu } from "./npu.ts";
import { measureParser, tableMatchesGraph } from "./parser-image.ts";
import { RxParser } from "./rx-parse.ts";

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
  /** UNNECESSARY of a legacy device made COMPLETE. */
  rxConverted: number;
  /** The same that could not be, by reason: NONE to the stack. */
  rxNotConverted: Partial<Record<ConvertReason, number>>;
  /** Arrived with their checksum owed. */
  rxOwed: number;
  rxNone: number;
  /** Results of another generation than the enabled one, not used. */
  rxStale: number;
}

/** What {@link NicDriver.completeRx} made of a completion. */
export type RxOutcome = "complete" | "converted" | "owed" | "none" | "stale" | "failed";

/** The driver of one device. */
export class NicDriver implements OffloadOps, DevlinkOps {
  readonly device: NicDevice;
  readonly counters: DriverCounters = {
    txOffloaded: 0,
    txFallback: {},
    txDropped: {},
    rxComplete: 0,
    rxConverted: 0,
    rxNotConverted: {},
    rxOwed: 0,
    rxNone: 0,
    rxStale: 0,
  };
  /** Headers of received packets. */
  readonly parser: RxParser;
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
  /** Hand UNNECESSARY to the stack as the device said it: the driver of before the paper. */
  keepUnnecessary = false;
  /** Bytes of the link layer before L3: 14 on Ethernet, 0 where packets begin with IP. */
  l2Length: number;
  /** The transmit queue that packets go to; some have no checksum engine. */
  txQueue = 0;
  readonly #tunnels: UdpTunnels;
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
    this.parser = new RxParser(device);
    this.#skb = new SkBuff(memory, 0);
    this.l2Length = l2Length;
    this.#caps = legacyCsumCaps(device.profile);
    this.#tunnels = deviceTunnels(device.profile);
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
      return this.#post(skb, PLAIN, cookie) ? XMIT.plain : this.#drop("ring full");
    const mode = this.#decide(skb);
    if (typeof mode === "string") return this.#fallBack(skb, mode, cookie);
    if (!this.#post(skb, mode, cookie)) return this.#drop("ring full");
    this.counters.txOffloaded++;
    return XMIT.offloaded;
  }

  /** What the device can be asked for, or why it cannot. */
  #decide(skb: SkBuff): Asked | string {
    if (this.device.profile.program !== null) {
      if (!this.device.isEnabled(FUNCTION_NUMBER.tx_csum)) return "not_enabled";
      const start = skb.checksumStartOffset;
      if (skb.isGso) return "gso";
      if (start < 0 || start > this.device.profile.tx.csum.startMax) return "csum_start";
      if (skb.fragList !== 0) return "frag_list";
      if (skb.unreadable !== 0 && skb.isNonlinear) return "unreadable";
      return skb.csumNotInet === 0 ? GENERIC : CRC;
    }
    const { legacyCheck, l2Length, txQueue } = this;
    return decideLegacy(skb, this.device.profile, legacyCheck ? this.#caps : null, l2Length, txQueue);
  }

  /** Let software do it, then send the packet as it is. */
  #fallBack(skb: SkBuff, reason: string, cookie: number): number {
    const errno = this.host.txCsum(skb.address);
    if (errno !== 0) return this.#drop(`errno ${errno}`);
    this.lastReason = reason;
    this.counters.txFallback[reason] = (this.counters.txFallback[reason] ?? 0) + 1;
    return this.#post(skb, PLAIN, cookie) ? XMIT.fallback : this.#drop("ring full");
  }

  #drop(reason: string): number {
    this.lastReason = reason;
    this.counters.txDropped[reason] = (this.counters.txDropped[reason] ?? 0) + 1;
    return XMIT.dropped;
  }

  #post(skb: SkBuff, how: Asked, cookie: number): boolean {
    const ring = this.device.txRing;
    const at = ring.produce();
    if (at < 0) return false;
    if (skb.fragList !== 0 && skb.skbLinearize() !== 0) return false;
    const d = this.#descriptor;
    const { view } = this.#memory;
    const asks = how.mode !== CSUM_MODE.none;
    d.csumMode = how.mode;
    d.csumStart = asks ? skb.checksumStartOffset : 0;
    d.csumOffset = asks ? skb.csumOffset : 0;
    d.l3 = how.l3;
    d.l4 = how.l4;
    d.inner = how.inner;
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
   * Fill an skb (data behind the link layer) from a completion.
   * @returns the verdict's source: `complete` (the device's sum), `converted` (COMPLETE made of a legacy device's
   *   UNNECESSARY), `owed` (PARTIAL), `none`, `stale` (of another generation), `failed`
   */
  completeRx(address: number, c: Completion): RxOutcome {
    const skb = this.#skb.at(address);
    skb.ipSummed = CHECKSUM_NONE;
    this.lastReason = "";
    if (c.status !== COMPLETION.ok) {
      this.counters.rxNone++;
      return "failed";
    }
    if (this.device.profile.program === null) return this.#completeLegacy(skb, c);
    if (c.ipSummed !== CHECKSUM_COMPLETE) {
      this.counters.rxNone++;
      return "none";
    }
    if (!this.device.isEnabled(FUNCTION_NUMBER.rx_csum) || c.generation !== this.device.generation) {
      this.counters.rxStale++;
      return "stale";
    }
    skb.ipSummed = CHECKSUM_COMPLETE;
    skb.csum = c.csum;
    this.counters.rxComplete++;
    return "complete";
  }

  /** COMPLETE where the device's sum can be made one, else its UNNECESSARY is converted: the stack knows no other. */
  #completeLegacy(skb: SkBuff, c: Completion): RxOutcome {
    const { counters } = this;
    skb.protocol = typeBehind(skb, this.l2Length);
    if (c.ipSummed === CHECKSUM_PARTIAL) {
      const owed = skb.skbPartialCsumSet((c.csum & 0xffff) - this.l2Length, c.csum >>> 16);
      if (owed) counters.rxOwed++;
      else counters.rxNone++;
      return owed ? "owed" : "none";
    }
    if (c.ipSummed === CHECKSUM_COMPLETE && completeFromDevice(skb, c, this.device.profile)) {
      counters.rxComplete++;
      return "complete";
    }
    const claims = c.verified > 0 && (this.keepUnnecessary || vouches(skb, this.device.profile));
    if (!claims) {
      counters.rxNone++;
      return "none";
    }
    skb.ipSummed = CHECKSUM_UNNECESSARY;
    skb.csumLevel = c.csumLevel;
    if (this.keepUnnecessary) return "converted";
    const reason = skbCsumRxLegacyConvertUnnecessary(skb, this.#tunnels);
    if (reason === "converted") {
      counters.rxConverted++;
      return "converted";
    }
    this.lastReason = reason;
    counters.rxNotConverted[reason] = (counters.rxNotConverted[reason] ?? 0) + 1;
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
    const { program, parser } = this.device.profile;
    if (program === null) return null;
    const { instructions, stack, memory } = program;
    return {
      abi: program.abi,
      targets: program.targets.filter((t) => t !== TARGET.tcam || parser !== null),
      describe: "npu",
      resources: { instructions, stack, memory, ...(parser === null ? {} : tcamResources(parser)) },
    };
  }

  measure(program: BundleProgram): Resources | null {
    return program.target === TARGET.tcam
      ? measureParser(program)
      : { instructions: program.text.length / 8 };
  }

  codeMatchesIr(program: BundleProgram): boolean | null {
    if (program.target === TARGET.tcam) return tableMatchesGraph(program, this.device.profile);
    return (["units", "loops"] as const).some((accel) => {
      const again = compileNpu(program.ir, { functionNumber: program.functionNumber, accel });
      return again.ok && same(again.value.text, program.text);
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

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}

/** Why the device gave a packet back: `trap_budget`, `errno_22`, `refused`; empty when it did not. */
export function failureOf(c: Completion): string {
  if (c.status === COMPLETION.ok) return "";
  if (c.status === COMPLETION.trap) return `trap_${Npu.trapName(c.code).toLowerCase()}`;
  return c.status === COMPLETION.errno ? `errno_${-c.code}` : "refused";
}

const CRC: Asked = { mode: CSUM_MODE.crc32c, l3: 0, l4: 132, inner: false };
const GENERIC: Asked = { mode: CSUM_MODE.generic, l3: 0, l4: 0, inner: false };
const PLAIN: Asked = { mode: CSUM_MODE.none, l3: 0, l4: 0, inner: false };
