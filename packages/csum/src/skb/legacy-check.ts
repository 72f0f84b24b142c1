/**
 * May a fixed-function device be asked for this packet's checksum? The paper's helper for drivers of such devices.
 * @remarks not in the kernel
 */
import {
  CHECKSUM_PARTIAL,
  ETH_P_IP,
  ETH_P_IPV6,
  ethTypeVlan,
  type SkBuff,
  skbBe16,
  skbByte,
} from "@netoffload/skbuff";
import { type ExthdrWalk, homeAddressOption, ipv6SkipExthdrNoRthdr } from "./ipv6-exthdr.ts";
import { skbChecksumHelp, skbCrc32cCsumHelp } from "./tx.ts";

/** What a device can do, as its driver knows. */
export interface LegacyCsumCaps {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly tcp: boolean;
  readonly udp: boolean;
  readonly ipOptions: boolean;
  /** The device steps over hop-by-hop, destination and authentication headers. */
  readonly ipv6ExtHdrs: boolean;
  /** As many of them, fragment headers included. */
  readonly maxExtHdrs: number;
  /** None longer than this, bytes. */
  readonly maxExtHdrLen: number;
  /** Checksums of packets inside a tunnel. */
  readonly encap: boolean;
  /** The same where the inner packet is IPv6. */
  readonly encapIpv6: boolean;
  /** Checksums of packets in no tunnel. */
  readonly notEncap: boolean;
  /** CRC-32C of SCTP. */
  readonly sctpCrc: boolean;
  /** In-band VLAN tags it steps over: 0, 1, 2. */
  readonly maxVlan: number;
  /** Largest csum_start from the packet's first byte. */
  readonly maxL4Offset: number;
  /** Shortest packet. */
  readonly minLen: number;
  /** GSO types it segments; used by the driver, not here. */
  readonly gsoTypes: number;
}

/** A device that can do nothing: what others are made from. */
export const NO_CSUM_CAPS: LegacyCsumCaps = {
  ipv4: false,
  ipv6: false,
  tcp: false,
  udp: false,
  ipOptions: false,
  ipv6ExtHdrs: false,
  maxExtHdrs: 0xffff,
  maxExtHdrLen: 0xffff,
  encap: false,
  encapIpv6: false,
  notEncap: true,
  sctpCrc: false,
  maxVlan: 0,
  maxL4Offset: 0xffff,
  minLen: 0,
  gsoTypes: 0,
};

const REASONS: readonly LegacyReason[] = [
  "vlan",
  "not-l4",
  "family",
  "ip-options",
  "fragment",
  "rthdr",
  "no-next-header",
  "truncated",
  "exthdr",
  "hao",
  "l4",
  "l4-offset",
  "min-len",
  "gso",
  "encapsulated",
  "encap-ipv6",
  "not-encapsulated",
  "sctp-crc",
];

/** Why a packet is not for the device. */
export type LegacyReason =
  | "vlan"
  | "not-l4"
  | "family"
  | "ip-options"
  | "fragment"
  | "rthdr"
  | "no-next-header"
  | "truncated"
  | "exthdr"
  | "hao"
  | "l4"
  | "l4-offset"
  | "min-len"
  | "gso"
  | "encapsulated"
  | "encap-ipv6"
  | "not-encapsulated"
  | "sctp-crc";

/**
 * `none`: nothing was asked for. `offload`: the device may. `resolved`: software did it. `fail`: software must (only
 * without `help`). `drop`: neither could, see errno.
 */
export type LegacyVerdict = "none" | "offload" | "resolved" | "fail" | "drop";

/** The answer; shared objects, not to be changed. */
export interface LegacyCheck {
  readonly verdict: LegacyVerdict;
  readonly encapsulated: boolean;
  readonly reason: LegacyReason | "";
  /** 0, or the negative errno of a drop. */
  readonly errno: number;
  /** 4 or 6 with `offload`; 0 for a CRC. */
  readonly l3: 0 | 4 | 6;
  /** 6 or 17 with `offload`, 132 for a CRC. */
  readonly l4: number;
}

/** How the check is made. */
export interface LegacyCheckOptions {
  /** Compute in software what the device cannot; default true. */
  readonly help?: boolean;
}

const EINVAL = 22;
const ETH_P_TEB = 0x6558;
const FAMILY = 0;
const INNER_FAMILY = 1;

const answer = (
  verdict: LegacyVerdict,
  encapsulated: boolean,
  reason: LegacyReason | "" = "",
): LegacyCheck => ({
  verdict,
  encapsulated,
  reason,
  errno: 0,
  l3: 0,
  l4: 0,
});
const both = (verdict: LegacyVerdict, reason: LegacyReason): readonly [LegacyCheck, LegacyCheck] => [
  answer(verdict, false, reason),
  answer(verdict, true, reason),
];
const table = (verdict: LegacyVerdict): Readonly<Record<string, readonly [LegacyCheck, LegacyCheck]>> =>
  Object.fromEntries(REASONS.map((reason) => [reason, both(verdict, reason)]));

// made once: nothing is allocated per packet
const NONE: LegacyCheck = /* @__PURE__ */ answer("none", false);
const FAIL = /* @__PURE__ */ table("fail");
const RESOLVED = /* @__PURE__ */ table("resolved");
const CRC: LegacyCheck = { verdict: "offload", encapsulated: false, reason: "", errno: 0, l3: 0, l4: 132 };
const OFFLOAD: readonly LegacyCheck[] = /* @__PURE__ */ [4, 6].flatMap((l3) =>
  [6, 17].flatMap((l4) =>
    [false, true].map((encapsulated) => ({ ...answer("offload", encapsulated), l3: l3 as 4 | 6, l4 })),
  ),
);
const walk: ExthdrWalk = { nexthdr: 0, fragOff: 0 };

/**
 * Judge an skb by its headers; it is not written before the verdict. The seed is authoritative and not checked.
 * @param skb - PARTIAL with csum_start, network and transport headers set (inner ones with `encapsulation`)
 * @returns see {@link LegacyCheck}; a GSO packet that fails is `drop` with -EINVAL: its driver segments first
 * @see the paper's skb_csum_hwoffload_legacy_check()
 */
export function skbCsumHwoffloadLegacyCheck(
  skb: SkBuff,
  caps: LegacyCsumCaps,
  options: LegacyCheckOptions = {},
): LegacyCheck {
  if (skb.ipSummed !== CHECKSUM_PARTIAL) return NONE;
  const help = options.help !== false;
  if (skb.csumNotInet !== 0) return caps.sctpCrc ? CRC : failed(skb, "sctp-crc", false, help);
  const start = skb.checksumStartOffset;
  const encapsulated =
    start !== skb.transportOffset && skb.encapsulation !== 0 && start === skb.innerTransportOffset;
  const found = judge(skb, caps, start, encapsulated);
  if (typeof found === "string") return failed(skb, found, encapsulated, help);
  return OFFLOAD[found + (encapsulated ? 1 : 0)]!;
}

/** @returns why not, or the index of the answer: family * 4 + protocol * 2 */
function judge(
  skb: SkBuff,
  caps: LegacyCsumCaps,
  start: number,
  encapsulated: boolean,
): LegacyReason | number {
  if (skb.len < caps.minLen) return "min-len";
  let type = skb.protocol;
  for (let tags = 0, at = skb.macOffset + 14; ethTypeVlan(type); at += 4) {
    if (++tags > caps.maxVlan) return "vlan";
    type = skbBe16(skb, at + 2);
    if (type < 0) return "truncated";
  }
  if (encapsulated) {
    if (!caps.encap) return "encapsulated";
    const outer = type === ETH_P_IPV6 ? outerIpv6(skb) : null;
    if (outer !== null) return outer;
    type = innerType(skb);
  } else {
    if (start !== skb.transportOffset) return "not-l4";
    if (!caps.notEncap) return "not-encapsulated";
  }
  const l3 = encapsulated ? skb.innerNetworkOffset : skb.networkOffset;
  const proto =
    type === ETH_P_IP
      ? ipv4(skb, l3, start, caps)
      : type === ETH_P_IPV6
        ? ipv6(skb, l3, start, caps, encapsulated)
        : "family";
  if (typeof proto === "string") return proto;
  const known =
    (proto === 6 && caps.tcp && skb.csumOffset === 16) || (proto === 17 && caps.udp && skb.csumOffset === 6);
  if (!known) return "l4";
  if (start > caps.maxL4Offset) return "l4-offset";
  return (type === ETH_P_IP ? 0 : 4) + (proto === 6 ? 0 : 2);
}

/** EtherType of what is inside; of Ethernet in a tunnel the one that its header gives. */
function innerType(skb: SkBuff): number {
  if (skb.innerProtocolType === FAMILY)
    return skb.innerProtocol === ETH_P_TEB ? skbBe16(skb, skb.innerNetworkOffset - 2) : skb.innerProtocol;
  return skb.innerProtocolType === INNER_FAMILY && skb.innerIpproto === 4
    ? ETH_P_IP
    : skb.innerIpproto === 41
      ? ETH_P_IPV6
      : 0;
}

function ipv4(skb: SkBuff, at: number, start: number, caps: LegacyCsumCaps): number | LegacyReason {
  if (!caps.ipv4) return "family";
  const fragOff = skbBe16(skb, at + 6);
  const proto = skbByte(skb, at + 9);
  if (fragOff < 0 || proto < 0) return "truncated";
  const first = skbByte(skb, at);
  const header = (first & 15) * 4;
  if (first >> 4 !== 4 || header < 20) return "not-l4";
  if (header > 20 && !caps.ipOptions) return "ip-options";
  if ((fragOff & 0x3fff) !== 0) return "fragment";
  return at + header === start ? proto : "not-l4";
}

/** The walk of ipv6_skip_exthdr_no_rthdr: a routing header of any type ends it. */
function ipv6(
  skb: SkBuff,
  at: number,
  start: number,
  caps: LegacyCsumCaps,
  encapsulated: boolean,
): number | LegacyReason {
  if (!caps.ipv6) return "family";
  if (encapsulated && !caps.encapIpv6) return "encap-ipv6";
  const first = skbByte(skb, at + 6);
  if (skbByte(skb, at + 39) < 0 || first < 0) return "truncated";
  if (skbByte(skb, at) >> 4 !== 6) return "not-l4";
  walk.nexthdr = first;
  const end = ipv6SkipExthdrNoRthdr(skb, at + 40, walk);
  if (end < 0) return whyNot(skb, at);
  if (end !== at + 40 && !caps.ipv6ExtHdrs) return "exthdr";
  // offset or more fragments; an atomic fragment is whole
  if ((walk.fragOff & 0xfff9) !== 0) return "fragment";
  const headers = end === at + 40 ? null : extensions(skb, at, caps);
  if (headers !== null) return headers;
  return end === start ? walk.nexthdr : "not-l4";
}

/** The header that ended a walk with -1. */
function whyNot(skb: SkBuff, at: number): LegacyReason {
  let next = skbByte(skb, at + 6);
  for (let o = at + 40; ; ) {
    if (next === 59) return "no-next-header";
    const size = sizeOf(skb, o, next);
    if (size < 0) return "truncated";
    if (next === 43) return "rthdr";
    next = skbByte(skb, o);
    o += size;
  }
}

/** Bytes of an extension header, -1 when it is not there. */
function sizeOf(skb: SkBuff, at: number, type: number): number {
  const length = skbByte(skb, at + 1);
  if (length < 0 || skbByte(skb, at) < 0) return -1;
  if (type === 44) return skbBe16(skb, at + 2) < 0 ? -1 : 8;
  return type === 51 ? (length + 2) * 4 : (length + 1) * 8;
}

/** Headers of a walk that succeeded: a home address option, more or longer ones than the device takes? */
function extensions(skb: SkBuff, at: number, caps: LegacyCsumCaps): LegacyReason | null {
  let next = skbByte(skb, at + 6);
  let count = 0;
  for (let o = at + 40; next === 0 || next === 44 || next === 51 || next === 60; ) {
    const size = sizeOf(skb, o, next);
    if (size < 0) return null;
    if (++count > caps.maxExtHdrs || size > caps.maxExtHdrLen) return "exthdr";
    if (next === 60 && homeAddressOption(skb, o, size) >= 0) return "hao";
    next = skbByte(skb, o);
    o += size;
  }
  return null;
}

/** A routing header outside: whatever lies inside, the device may take its addresses for the pseudo header's. */
function outerIpv6(skb: SkBuff): LegacyReason | null {
  const at = skb.networkOffset;
  const first = skbByte(skb, at + 6);
  if (skbByte(skb, at + 39) < 0 || first < 0) return "truncated";
  walk.nexthdr = first;
  return ipv6SkipExthdrNoRthdr(skb, at + 40, walk) < 0 ? whyNot(skb, at) : null;
}

/** Software's turn. */
function failed(skb: SkBuff, reason: LegacyReason, encapsulated: boolean, help: boolean): LegacyCheck {
  const which = encapsulated ? 1 : 0;
  if (skb.isGso) return dropped(reason, encapsulated, -EINVAL);
  if (!help) return FAIL[reason]![which];
  const errno = reason === "sctp-crc" ? skbCrc32cCsumHelp(skb) : skbChecksumHelp(skb);
  return errno === 0 ? RESOLVED[reason]![which] : dropped(reason, encapsulated, errno);
}

function dropped(reason: LegacyReason, encapsulated: boolean, errno: number): LegacyCheck {
  return { ...answer("drop", encapsulated, reason), errno };
}
