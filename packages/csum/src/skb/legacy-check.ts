/**
 * May a fixed-function device be asked for this packet's checksum? The paper's helper for drivers of such devices.
 * @remarks not in the kernel
 */
import { CHECKSUM_PARTIAL, type SkBuff } from "@netoffload/skbuff";

/** What a device can do, as its driver knows. */
export interface LegacyCsumCaps {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly tcp: boolean;
  readonly udp: boolean;
  readonly ipOptions: boolean;
  /** The device steps over extension headers. */
  readonly ipv6ExtHdrs: boolean;
  /** In-band VLAN tags it steps over. */
  readonly maxVlan: number;
  /** Largest csum_start from the packet's first byte. */
  readonly maxL4Offset: number;
  /** Shortest packet. */
  readonly minLen: number;
}

/** Why a packet is not for the device. */
export type LegacyReason =
  | "vlan"
  | "not-l4"
  | "family"
  | "ip-options"
  | "fragment"
  | "rthdr"
  | "truncated"
  | "exthdr"
  | "hao"
  | "l4"
  | "l4-offset"
  | "min-len"
  | "gso"
  | "encapsulated";

/** none: nothing asked; offload: the device may; fail: software must, for a reason. */
export type LegacyVerdict =
  | { readonly verdict: "none" | "offload"; readonly l3: 0 | 4 | 6; readonly l4: number }
  | { readonly verdict: "fail"; readonly reason: LegacyReason };

const NONE: LegacyVerdict = { verdict: "none", l3: 0, l4: 0 };
const OFFLOAD = {
  4: { 6: { verdict: "offload", l3: 4, l4: 6 }, 17: { verdict: "offload", l3: 4, l4: 17 } },
  6: { 6: { verdict: "offload", l3: 6, l4: 6 }, 17: { verdict: "offload", l3: 6, l4: 17 } },
} as const;

const fail = (reason: LegacyReason): LegacyVerdict => ({ verdict: "fail", reason });

/**
 * Judge an skb without touching it. Data at the Ethernet header when `l2Length` is 14, at L3 when 0; the seed is
 * authoritative and not checked.
 */
export function skbCsumHwoffloadLegacyCheck(
  skb: SkBuff,
  caps: LegacyCsumCaps,
  l2Length: number,
): LegacyVerdict {
  if (skb.ipSummed !== CHECKSUM_PARTIAL) return NONE;
  if (skb.isGso) return fail("gso");
  if (skb.encapsulation !== 0) return fail("encapsulated");
  const { view } = skb.memory;
  const data = skb.data;
  const linear = skb.headlen;
  const start = skb.checksumStartOffset;
  if (skb.len < caps.minLen) return fail("min-len");
  let at = l2Length;
  if (at > linear) return fail("truncated");
  let type = l2Length >= 2 ? view.getUint16(data + at - 2, false) : skb.protocol;
  for (let tags = 0; type === 0x8100 || type === 0x88a8; tags++) {
    if (tags >= caps.maxVlan) return fail("vlan");
    if (at + 4 > linear) return fail("truncated");
    type = view.getUint16(data + at + 2, false);
    at += 4;
  }
  const l4 =
    type === 0x0800
      ? ipv4(view, data, at, linear, start, caps)
      : type === 0x86dd
        ? ipv6(view, data, at, linear, start, caps)
        : "family";
  if (typeof l4 === "string") return fail(l4);
  if (start > caps.maxL4Offset) return fail("l4-offset");
  const known =
    (l4 === 6 && caps.tcp && skb.csumOffset === 16) || (l4 === 17 && caps.udp && skb.csumOffset === 6);
  if (!known) return fail("l4");
  return OFFLOAD[type === 0x0800 ? 4 : 6][l4 as 6 | 17];
}

function ipv4(
  view: DataView,
  data: number,
  at: number,
  linear: number,
  start: number,
  caps: LegacyCsumCaps,
): number | LegacyReason {
  if (!caps.ipv4) return "family";
  if (at + 20 > linear) return "truncated";
  const first = view.getUint8(data + at);
  const header = (first & 15) * 4;
  if (first >> 4 !== 4 || header < 20) return "not-l4";
  if (header > 20 && !caps.ipOptions) return "ip-options";
  if ((view.getUint16(data + at + 6, false) & 0x3fff) !== 0) return "fragment";
  return at + header === start ? view.getUint8(data + at + 9) : "not-l4";
}

/** The walk of ipv6_skip_exthdr_no_rthdr: a routing header of any type ends it. */
function ipv6(
  view: DataView,
  data: number,
  at: number,
  linear: number,
  start: number,
  caps: LegacyCsumCaps,
): number | LegacyReason {
  if (!caps.ipv6) return "family";
  if (at + 40 > linear) return "truncated";
  let next = view.getUint8(data + at + 6);
  let o = at + 40;
  let extensions = 0;
  while (next === 0 || next === 43 || next === 44 || next === 51 || next === 59 || next === 60) {
    if (next === 59) return "rthdr";
    if (o + 2 > linear) return "truncated";
    if (next === 43) return "rthdr";
    if (next === 44) return "fragment";
    const length =
      next === 51 ? (view.getUint8(data + o + 1) + 2) * 4 : (view.getUint8(data + o + 1) + 1) * 8;
    if (next === 60 && hasHomeAddress(view, data + o, Math.min(length, linear - o))) return "hao";
    next = view.getUint8(data + o);
    o += length;
    extensions++;
  }
  if (extensions > 0 && !caps.ipv6ExtHdrs) return "exthdr";
  return o === start ? next : "not-l4";
}

function hasHomeAddress(view: DataView, at: number, length: number): boolean {
  for (let o = 2; o + 1 < length; ) {
    const type = view.getUint8(at + o);
    if (type === 0xc9) return true;
    o += type === 0 ? 1 : 2 + view.getUint8(at + o + 1);
  }
  return false;
}
