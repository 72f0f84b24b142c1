/** What a fixed-function device says of a frame that arrived, and what its driver makes of it. */
import { csumBlockAdd, csumPartial, csumSub, csumTcpudpNofold } from "@netoffload/csum";
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  ETH_P_IP,
  ETH_P_IPV6,
  type SkBuff,
  skbBe16,
  skbByte,
} from "@netoffload/skbuff";
import type { Completion } from "./descriptor.ts";
import { completeFixed, owedFixed, verifyFixed } from "./fixed-function.ts";
import type { Parsed } from "./fixed-parse.ts";
import type { Profile } from "./profiles/profile.ts";

const MAX_LEVEL = 3;

/** Fill a completion. @param parsed - scratch of the device's parser */
export function reportFixed(
  frame: Uint8Array,
  l2Length: number,
  profile: Profile,
  parsed: Parsed,
  c: Completion,
): void {
  const { csum } = profile.rx;
  if (csum.report === "none") return;
  if (csum.needsCsum) {
    const owed = owedFixed(frame, l2Length, profile, parsed);
    if (owed >= 0) {
      c.ipSummed = CHECKSUM_PARTIAL;
      c.csum = owed;
      return;
    }
  }
  if (csum.report !== "complete") {
    c.verified = verifyFixed(frame, l2Length, profile, parsed);
    const level = c.verified - 1 + (profile.faults.includes("csum-level-wrong") ? 1 : 0);
    if (c.verified > 0) c.csumLevel = Math.min(MAX_LEVEL, level);
  }
  const unnecessaryFirst = csum.report === "unnecessary" || csum.report === "unnecessary-else-complete";
  if (c.verified > 0 && unnecessaryFirst) {
    c.ipSummed = CHECKSUM_UNNECESSARY;
    return;
  }
  const sum = csum.report === "unnecessary" ? -1 : completeFixed(frame, l2Length, profile, parsed);
  if (sum >= 0) {
    c.ipSummed = CHECKSUM_COMPLETE;
    c.csum = sum;
  } else if (c.verified > 0) c.ipSummed = CHECKSUM_UNNECESSARY;
}

/** eth_type_trans: the EtherType of a packet whose link-layer header lies before data; without one by its version. */
export function typeBehind(skb: SkBuff, l2Length: number): number {
  const type = l2Length >= 2 ? skbBe16(skb, -2) : skbByte(skb, 0) >> 4 === 6 ? ETH_P_IPV6 : ETH_P_IP;
  return Math.max(type, 0);
}

/** Bytes of in-band tags before the IP header. @returns -1: they do not end */
function tagBytes(skb: SkBuff): number {
  let at = 0;
  for (let type = skb.protocol; type === 0x8100 || type === 0x88a8; at += 4) {
    type = skbBe16(skb, at + 2);
    if (type < 0) return -1;
  }
  return at;
}

/**
 * Does UNNECESSARY of such a device mean that it verified this packet? One that says it of every IP packet does so of
 * transports right behind the IP header only.
 */
export function vouches(skb: SkBuff, profile: Profile): boolean {
  const { others, l4 } = profile.rx.csum;
  if (!others) return true;
  const proto = skbByte(skb, skbByte(skb, 0) >> 4 === 6 ? 6 : 9);
  return (proto === 6 && l4.includes("tcp")) || (proto === 17 && l4.includes("udp"));
}

/** Nothing is summed by hardware that the stack may trust: SCTP, whose CRC it says nothing of; fragments. */
function refused(next: number, payloadOnly: boolean): boolean {
  return next === 132 || (payloadOnly && (next === 0 || next === 44));
}

/**
 * Make COMPLETE out of the device's sum: add what the hardware left out. Data is behind the Ethernet header.
 * @returns false: it cannot be told; the stack looks itself
 * @remarks a device of the `pad-not-summed` kind has a driver that does not know what is left out
 */
export function completeFromDevice(skb: SkBuff, c: Completion, profile: Profile): boolean {
  const { completeFrom, coversPadding, shortFrameMax } = profile.rx.csum;
  const unaware = profile.faults.includes("pad-not-summed");
  if (!unaware && c.length <= shortFrameMax) return false;
  const at = tagBytes(skb);
  const version = at < 0 ? 0 : skbByte(skb, at) >> 4;
  const parses = !coversPadding || completeFrom !== "data";
  if (parses && version !== 4 && version !== 6) return false;
  let sum = c.csum;
  if (parses && refused(skbByte(skb, at + (version === 4 ? 9 : 6)), completeFrom === "ipPayload"))
    return false;
  if (completeFrom === "ipPayload") sum = version === 4 ? withIpv4(skb, at, sum) : withIpv6(skb, at, sum);
  // tags are a multiple of four bytes, so no phase turns
  if (completeFrom !== "data") sum = csumPartial(skb.memory, skb.data, at, sum);
  if (!coversPadding && !unaware) {
    const end = at + (version === 4 ? skbBe16(skb, at + 2) : 40 + skbBe16(skb, at + 4));
    if (end > skb.len) return false;
    sum = csumBlockAdd(sum, csumPartial(skb.memory, skb.data + end, skb.len - end, 0), end);
  }
  skb.ipSummed = CHECKSUM_COMPLETE;
  skb.csum = sum;
  return true;
}

/** Take the pseudo header out again; the header itself sums to nothing, or the device had not reported. */
function withIpv4(skb: SkBuff, at: number, sum: number): number {
  const { view } = skb.memory;
  const ip = skb.data + at;
  const payload = skbBe16(skb, at + 2) - (skbByte(skb, at) & 15) * 4;
  const pseudo = csumTcpudpNofold(
    view.getUint32(ip + 12, true),
    view.getUint32(ip + 16, true),
    payload,
    view.getUint8(ip + 9),
    0,
  );
  return csumSub(sum, pseudo);
}

/** Addresses and payload length are in the sum; version, flow label, next header and hop limit are not. */
function withIpv6(skb: SkBuff, at: number, sum: number): number {
  const ip = skb.data + at;
  return csumPartial(skb.memory, ip, 4, csumPartial(skb.memory, ip + 6, 2, sum));
}
