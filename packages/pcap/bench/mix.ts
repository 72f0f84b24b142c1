/**
 * The deterministic packet mix the benchmarks share: Ethernet frames of seven kinds, 1,024 flows of each, all
 * checksums right, about 366 bytes a frame (382 with its record header), so that 1.31 million make 500 MB.
 * A sequence depends on its options only, never on the machine.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { CaptureWriter } from "../src/index.ts";

export const MIX_KINDS = [
  "ipv4_tcp",
  "ipv6_tcp",
  "ipv4_udp",
  "ipv6_udp",
  "vlan_ipv4_udp",
  "ipip_ipv4_tcp",
  "gre_ipv4_udp",
] as const;

export type MixKind = (typeof MIX_KINDS)[number];

export interface MixOptions {
  /** Default 1,310,000 (500 MB). */
  readonly packets?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Flows of each kind, default 1024. */
  readonly flows?: number;
  /** Default all. */
  readonly kinds?: readonly MixKind[];
}

export const MIX_PACKETS = 1_310_000;
const PAYLOAD_POOL = 65536;
const TCP_PAYLOAD_MAX = 1440;

/** xorshift32: small, the same everywhere. */
class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (Math.imul(seed, 0x9e3779b1) ^ 0x6d2b79f5) | 0 || 1;
  }

  /** 0 to bound - 1, bound up to 2^16. */
  below(bound: number): number {
    let s = this.state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.state = s;
    return Math.floor(((s >>> 8) / 16777216) * bound);
  }
}

/** Makes one frame after the other in `frame`; `next` returns its length. */
export class MixGenerator {
  /** The current frame's bytes; overwritten by `next`. */
  readonly frame: Uint8Array = new Uint8Array(2048);
  seconds: number = 1_700_000_000;
  nanoseconds: number = 0;
  kind: MixKind = "ipv4_tcp";
  /** Flow number within its kind. */
  flow: number = 0;

  private readonly view: DataView = new DataView(this.frame.buffer);
  private readonly random: Random;
  private readonly flows: number;
  private readonly kinds: readonly MixKind[];
  private readonly pool: Uint8Array = new Uint8Array(PAYLOAD_POOL + 2048);
  private identification = 0;

  constructor(options: MixOptions = {}) {
    this.random = new Random(options.seed ?? 1);
    this.flows = options.flows ?? 1024;
    this.kinds = options.kinds ?? MIX_KINDS;
    for (let i = 0; i < this.pool.length; i++) this.pool[i] = this.random.below(256);
  }

  next(): number {
    const random = this.random;
    this.kind = this.kinds[random.below(this.kinds.length)]!;
    this.flow = random.below(this.flows);
    this.nanoseconds += 1000 * (1 + random.below(20));
    if (this.nanoseconds >= 1e9) {
      this.nanoseconds -= 1e9;
      this.seconds++;
    }
    this.identification = (this.identification + 1) & 0xffff;
    const payload = this.payloadLength();
    const view = this.view;
    // locally administered addresses
    view.setUint32(0, 0x02000000);
    view.setUint16(4, 0x0001);
    view.setUint32(6, 0x02000000);
    view.setUint16(10, this.flow & 0xffff);
    switch (this.kind) {
      case "ipv4_tcp":
        view.setUint16(12, 0x0800);
        return this.ipv4(14, 6, 10, payload);
      case "ipv6_tcp":
        view.setUint16(12, 0x86dd);
        return this.ipv6(14, 6, payload);
      case "ipv4_udp":
        view.setUint16(12, 0x0800);
        return this.ipv4(14, 17, 11, payload);
      case "ipv6_udp":
        view.setUint16(12, 0x86dd);
        return this.ipv6(14, 17, payload);
      case "vlan_ipv4_udp":
        view.setUint16(12, 0x8100);
        view.setUint16(14, 1 + (this.flow & 15));
        view.setUint16(16, 0x0800);
        return this.ipv4(18, 17, 12, payload);
      case "ipip_ipv4_tcp": {
        view.setUint16(12, 0x0800);
        const end = this.ipv4(34, 6, 13, payload);
        this.ipv4Header(14, 4, 172, end - 14);
        return end;
      }
      case "gre_ipv4_udp": {
        view.setUint16(12, 0x0800);
        const end = this.ipv4(38, 17, 14, payload);
        view.setUint16(34, 0);
        view.setUint16(36, 0x0800);
        this.ipv4Header(14, 47, 173, end - 14);
        return end;
      }
    }
  }

  private payloadLength(): number {
    const choice = this.random.below(12);
    if (choice < 7) return this.random.below(64);
    if (choice < 11) return 256 + this.random.below(532);
    return TCP_PAYLOAD_MAX - this.random.below(160);
  }

  private ipv4(at: number, protocol: number, net: number, payload: number): number {
    const end = this.transport(at + 20, protocol, payload);
    this.ipv4Header(at, protocol, net, end - at);
    this.transportChecksum(at + 12, 8, at + 20, end, protocol);
    return end;
  }

  private ipv4Header(at: number, protocol: number, net: number, totLen: number): void {
    const view = this.view;
    view.setUint16(at, 0x4500);
    view.setUint16(at + 2, totLen);
    view.setUint16(at + 4, this.identification);
    view.setUint16(at + 6, 0x4000);
    view.setUint8(at + 8, 64);
    view.setUint8(at + 9, protocol);
    view.setUint16(at + 10, 0);
    view.setUint32(at + 12, net * 0x1000000 + 0x010000 + this.flow);
    view.setUint32(at + 16, net * 0x1000000 + 0x020000 + ((this.flow * 7) & 0xffff));
    view.setUint16(at + 10, complement(sum(this.frame, at, at + 20, 0)));
  }

  private ipv6(at: number, protocol: number, payload: number): number {
    const view = this.view;
    const end = this.transport(at + 40, protocol, payload);
    view.setUint32(at, 0x60000000 + this.flow);
    view.setUint16(at + 4, end - at - 40);
    view.setUint8(at + 6, protocol);
    view.setUint8(at + 7, 64);
    for (let i = 0; i < 2; i++) {
      view.setUint32(at + 8 + 16 * i, 0x20010db8);
      view.setUint32(at + 12 + 16 * i, i);
      view.setUint32(at + 16 + 16 * i, 0);
      view.setUint32(at + 20 + 16 * i, this.flow + 1);
    }
    this.transportChecksum(at + 8, 32, at + 40, end, protocol);
    return end;
  }

  private transport(at: number, protocol: number, payload: number): number {
    const view = this.view;
    view.setUint16(at, 1024 + this.flow);
    view.setUint16(at + 2, protocol === 6 ? 443 : 4433);
    const data = at + (protocol === 6 ? 20 : 8);
    if (protocol === 6) {
      view.setUint32(at + 4, Math.imul(this.flow, 65537) + this.identification * 1460);
      view.setUint32(at + 8, this.flow * 1000 + 1);
      view.setUint16(at + 12, 0x5010);
      view.setUint16(at + 14, 501);
      view.setUint32(at + 16, 0);
    } else {
      view.setUint16(at + 4, 8 + payload);
      view.setUint16(at + 6, 0);
    }
    const from = this.random.below(PAYLOAD_POOL);
    this.frame.set(this.pool.subarray(from, from + payload), data);
    return data + payload;
  }

  private transportChecksum(
    addresses: number,
    length: number,
    at: number,
    end: number,
    protocol: number,
  ): void {
    let s = sum(this.frame, addresses, addresses + length, protocol + (end - at));
    s = complement(sum(this.frame, at, end, s));
    this.view.setUint16(at + (protocol === 6 ? 16 : 6), protocol === 17 && s === 0 ? 0xffff : s);
  }
}

function sum(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let s = seed;
  const even = start + ((end - start) & ~1);
  for (let i = start; i < even; i += 2) s += (bytes[i]! << 8) | bytes[i + 1]!;
  if (even < end) s += bytes[even]! << 8;
  return s;
}

function complement(s: number): number {
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return ~s & 0xffff;
}

/** The mix as a microsecond pcap file in chunks; each chunk is lent until the next. */
export function* mixCapture(options: MixOptions = {}): Generator<Uint8Array, void, undefined> {
  const chunks: Uint8Array[] = [];
  const writer = new CaptureWriter((chunk) => chunks.push(chunk.slice()), {
    format: "pcap",
    resolution: "micro",
    bufferBytes: 1 << 20,
  });
  const generator = new MixGenerator(options);
  const packets = options.packets ?? MIX_PACKETS;
  for (let i = 0; i < packets; i++) {
    const length = generator.next();
    writer.writeBytes(generator.frame, 0, length, length, generator.seconds, generator.nanoseconds, 0);
    while (chunks.length > 0) yield chunks.shift()!;
  }
  writer.flush();
  yield* chunks;
}

/**
 * The mix as a file in the system's folder for temporary files, made once and used again.
 * @returns its path
 */
export function mixFile(options: MixOptions = {}): string {
  const { packets = MIX_PACKETS, seed = 1, flows = 1024, kinds = MIX_KINDS } = options;
  const which = kinds.length === MIX_KINDS.length ? "all" : kinds.join("+");
  const file = path.join(os.tmpdir(), `netoffload-mix-1-${packets}-${seed}-${flows}-${which}.pcap`);
  if (fs.existsSync(file)) return file;
  const temporary = `${file}.${process.pid}`;
  const fd = fs.openSync(temporary, "w");
  try {
    for (const chunk of mixCapture(options)) {
      let at = 0;
      while (at < chunk.length) at += fs.writeSync(fd, chunk, at);
    }
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(temporary, file);
  return file;
}
