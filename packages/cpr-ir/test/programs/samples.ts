/** XDP2's small sample parsers, written anew with the builder; and what they find, read by hand from a frame. */
import { check, field, orThrow, type Parser, parser, when } from "@netoffload/cpr-ir";

const notLater = check("stop_okay", when("equal", field(6, 2, { mask: 0x1fff }), 0));
const ihl = { ...field(0, 1, { mask: 0xf }), multiplier: 4 };

/** Addresses 0..31, ports 32, protocol 36, TCP timestamps 40 and 44 in the order of a little-endian CPU. */
export const simple: Parser = orThrow(
  parser("simple", { "metameta-size": 48, "max-frames": 1, "frame-size": 0 })
    .node("ether", { "min-hdr-length": 14, "next-proto": { ...field(12, 2), table: "ether" } })
    .node("ipv4", {
      "min-hdr-length": 20,
      "hdr-length": ihl,
      metadata: {
        ents: [
          { "hdr-src-off": 12, "md-off": 0, length: 8 },
          { "hdr-src-off": 9, "md-off": 36, length: 1 },
        ],
      },
      "cond-exprs": { ents: [notLater] },
      "next-proto": { ...field(9, 1), table: "ip" },
    })
    .node("ipv6", {
      "min-hdr-length": 40,
      metadata: {
        ents: [
          { "hdr-src-off": 8, "md-off": 0, length: 32 },
          { "hdr-src-off": 6, "md-off": 36, length: 1 },
        ],
      },
      "next-proto": { ...field(6, 1), table: "ip" },
    })
    .node("tcp", {
      "min-hdr-length": 20,
      "hdr-length": { ...field(12, 1, { mask: 0xf0, "right-shift": 4 }), multiplier: 4 },
      metadata: { list: "ports" },
      "tlv-parse-node": {
        "tlv-type": field(0, 1),
        "tlv-length": field(1, 1),
        pad1: 1,
        eol: 0,
        ents: [{ key: 8, node: "timestamp" }],
      },
    })
    .node("udp", { "min-hdr-length": 8, metadata: { list: "ports" } })
    .tlvNode("timestamp", {
      "min-hdr-length": 10,
      metadata: {
        ents: [
          { "hdr-src-off": 2, "md-off": 40, length: 4, endian: "little" },
          { "hdr-src-off": 6, "md-off": 44, length: 4, endian: "little" },
        ],
      },
    })
    .metadata("ports", { "hdr-src-off": 0, "md-off": 32, length: 4 })
    .table("ether", [0x0800, "ipv4"], [0x86dd, "ipv6"])
    .table("ip", [6, "tcp"], [17, "udp"])
    .build(),
);

/** Where the network header (0) and the transport header (2) start, little endian. */
export const offsets: Parser = orThrow(
  parser("offsets", { "metameta-size": 4, "max-frames": 1, "frame-size": 0 })
    .node("ether", { "min-hdr-length": 14, "next-proto": { ...field(12, 2), table: "ether" } })
    .node("ipv4", {
      "min-hdr-length": 20,
      "hdr-length": ihl,
      metadata: { list: "network" },
      "cond-exprs": { ents: [notLater] },
      "next-proto": { ...field(9, 1), table: "ip" },
    })
    .node("ipv6", {
      "min-hdr-length": 40,
      metadata: { list: "network" },
      "next-proto": { ...field(6, 1), table: "ip" },
    })
    .node("transport", {
      "min-hdr-length": 8,
      metadata: { ents: [{ type: "offset", "md-off": 2, endian: "little" }] },
    })
    .metadata("network", { type: "offset", "md-off": 0, endian: "little" })
    .table("ether", [0x0800, "ipv4"], [0x86dd, "ipv6"])
    .table("ip", [6, "transport"], [17, "transport"])
    .build(),
);

/** What a flow's hash is made of: protocol 0, flow label 4, ports 8, addresses 12..43. */
export const simpleHash: Parser = orThrow(
  parser("simple_hash", { "metameta-size": 44, "max-frames": 1, "frame-size": 0, "max-encaps": 0 })
    .node("ether", { "min-hdr-length": 14, "next-proto": { ...field(12, 2), table: "ether" } })
    .node("ipv4", {
      "min-hdr-length": 20,
      "hdr-length": ihl,
      "pre-checks": { ents: [check("stop_fail", when("equal", field(0, 1, { mask: 0xf0 }), 0x40))] },
      metadata: {
        ents: [
          { "hdr-src-off": 9, "md-off": 0, length: 1 },
          { "hdr-src-off": 12, "md-off": 12, length: 8 },
        ],
      },
      "cond-exprs": { ents: [notLater] },
      "next-proto": { ...field(9, 1), table: "ip", default: "stop_okay" },
    })
    .node("ipv6", {
      "min-hdr-length": 40,
      "pre-checks": { ents: [check("stop_fail", when("equal", field(0, 1, { mask: 0xf0 }), 0x60))] },
      metadata: {
        ents: [
          { "hdr-src-off": 6, "md-off": 0, length: 1 },
          { "hdr-src-off": 0, mask: 0xfffff, "md-off": 4, length: 4 },
          { "hdr-src-off": 8, "md-off": 12, length: 32 },
        ],
      },
      "cond-exprs": {
        ents: [check("stop_okay", when("equal", field(0, 4, { mask: 0xfffff }), 0))],
      },
      "next-proto": { ...field(6, 1), table: "ip", default: "stop_okay" },
    })
    .node("ports", {
      "min-hdr-length": 4,
      metadata: { ents: [{ "hdr-src-off": 0, "md-off": 8, length: 4 }] },
    })
    .table("ether", [0x0800, "ipv4"], [0x86dd, "ipv6"])
    .table("ip", [6, "ports"], [17, "ports"], [33, "ports"], [132, "ports"])
    .build(),
);

/** What one of them shall say of a frame. */
export interface Found {
  readonly code: number;
  readonly metadata: Uint8Array;
}

/** Byte ranges of a frame that go to places of the metadata. */
class Picture {
  readonly metadata: Uint8Array;
  constructor(size: number) {
    this.metadata = new Uint8Array(size);
  }
  put(at: number, bytes: Uint8Array): void {
    this.metadata.set(bytes, at);
  }
}

/** IP of a frame by hand; null: no IP, `short`: cut off. */
function ip(
  f: Uint8Array,
): { v: number; at: number; end: number; proto: number; later: boolean } | "short" | null {
  if (f.length < 14) return "short";
  const type = f[12]! * 256 + f[13]!;
  if (type === 0x86dd)
    return f.length < 54 ? "short" : { v: 6, at: 14, end: 54, proto: f[20]!, later: false };
  if (type !== 0x0800) return null;
  const length = ((f[14] ?? 0) % 16) * 4;
  if (f.length < 34 || length < 20 || f.length < 14 + length) return "short";
  const offset = (f[20]! % 32) * 256 + f[21]!;
  return { v: 4, at: 14, end: 14 + length, proto: f[23]!, later: offset !== 0 };
}

export function simpleByHand(f: Uint8Array): Found {
  const p = new Picture(48);
  const h = ip(f);
  const told = (code: number): Found => ({ code, metadata: p.metadata });
  if (h === "short") return told(-13);
  if (h === null) return told(-14);
  p.put(0, h.v === 4 ? f.slice(26, 34) : f.slice(22, 54));
  p.put(36, Uint8Array.of(h.proto));
  if (h.later) return told(-4);
  const tcp = h.proto === 6;
  if (!tcp && h.proto !== 17) return told(-14);
  const length = tcp ? ((f[h.end + 12] ?? 0) >> 4) << 2 : 8;
  if (f.length < h.end + (tcp ? 20 : 8) || length < (tcp ? 20 : 8) || f.length < h.end + length)
    return told(-13);
  p.put(32, f.slice(h.end, h.end + 4));
  for (let at = h.end + 20; tcp && at < h.end + length; ) {
    if (f[at] === 0) break;
    if (f[at] === 1) {
      at++;
      continue;
    }
    const left = h.end + length - at;
    const size = f[at + 1]!;
    if (left < 2 || size < 2 || size > left) return told(-17);
    if (f[at] === 8 && size >= 10) {
      p.put(40, f.slice(at + 2, at + 6).reverse());
      p.put(44, f.slice(at + 6, at + 10).reverse());
    }
    at += size;
  }
  return told(-4);
}

export function offsetsByHand(f: Uint8Array): Found {
  const p = new Picture(4);
  const h = ip(f);
  const told = (code: number): Found => ({ code, metadata: p.metadata });
  if (h === "short") return told(-13);
  if (h === null) return told(-14);
  p.put(0, Uint8Array.of(14, 0));
  if (h.later) return told(-4);
  if (h.proto !== 6 && h.proto !== 17) return told(-14);
  if (f.length < h.end + 8) return told(-13);
  p.put(2, Uint8Array.of(h.end, 0));
  return told(-4);
}

export function simpleHashByHand(f: Uint8Array): Found {
  const p = new Picture(44);
  const h = ip(f);
  const told = (code: number): Found => ({ code, metadata: p.metadata });
  if (h === "short") return told(-13);
  if (h === null) return told(-14);
  if (f[14]! >> 4 !== h.v) return told(-12);
  p.put(0, Uint8Array.of(h.proto));
  p.put(12, h.v === 4 ? f.slice(26, 34) : f.slice(22, 54));
  if (h.v === 6) p.put(5, Uint8Array.of(f[15]! % 16, f[16]!, f[17]!));
  if (h.later || p.metadata.subarray(4, 8).some((b) => b !== 0)) return told(-4);
  if (![6, 17, 33, 132].includes(h.proto)) return told(-4);
  if (f.length < h.end + 4) return told(-13);
  p.put(8, f.slice(h.end, h.end + 4));
  return told(-4);
}
