/**
 * The helper of 2015 for drivers of devices with limits. Its flaw, which the paper's series repairs: routing headers
 * are stepped over as if they did not matter.
 * @see include/linux/netdevice.h struct skb_csum_offl_spec (Linux 4.5)
 */
import {
  CHECKSUM_PARTIAL,
  ETH_P_IP,
  ETH_P_IPV6,
  ethTypeVlan,
  type SkBuff,
  skbByte,
  vlanGetProtocol,
} from "@netoffload/skbuff";
import { skbChecksumHelp } from "./tx.ts";

/** What a device can do. */
export interface SkbCsumOfflSpec {
  readonly ipv4Okay: boolean;
  readonly ipv6Okay: boolean;
  readonly encapOkay: boolean;
  readonly ipOptionsOkay: boolean;
  readonly extHdrsOkay: boolean;
  readonly tcpOkay: boolean;
  readonly udpOkay: boolean;
  readonly sctpOkay: boolean;
  readonly vlanOkay: boolean;
  readonly noEncappedIpv6: boolean;
  readonly noNotEncapped: boolean;
}

/** Preset: IPv4 with options, IPv6, VLAN, TCP, UDP. @see skb_csum_offload_chk_help_cmn() */
export const CSUM_OFFL_SPEC_CMN: SkbCsumOfflSpec = {
  ipv4Okay: true,
  ipv6Okay: true,
  encapOkay: false,
  ipOptionsOkay: true,
  extHdrsOkay: false,
  tcpOkay: true,
  udpOkay: true,
  sctpOkay: false,
  vlanOkay: true,
  noEncappedIpv6: false,
  noNotEncapped: false,
};

/** Preset: the same without IPv6. @see skb_csum_offload_chk_help_cmn_v4_only() */
export const CSUM_OFFL_SPEC_CMN_V4_ONLY: SkbCsumOfflSpec = /* @__PURE__ */ (() => ({
  ...CSUM_OFFL_SPEC_CMN,
  ipv6Okay: false,
}))();

/** Out of {@link skbCsumOffloadChk}; caller-owned. */
export interface CsumEncapped {
  csumEncapped: boolean;
}

/**
 * @param out - csumEncapped is set once the packet's checksum is known to be inside or outside of a tunnel
 * @param csumHelp - compute in software what the device cannot; the helper's result is ignored
 * @returns true: the device may
 */
export function skbCsumOffloadChk(
  skb: SkBuff,
  spec: SkbCsumOfflSpec,
  out: CsumEncapped,
  csumHelp: boolean,
): boolean {
  if (skb.ipSummed !== CHECKSUM_PARTIAL) return false;
  const verdict = judge(skb, spec, out);
  if (verdict === "help" && csumHelp && !skb.isGso) skbChecksumHelp(skb);
  return verdict === "offload";
}

/** @see skb_csum_offload_chk_help_cmn(): help always, only packets in no tunnel */
export function skbCsumOffloadChkHelpCmn(skb: SkBuff): boolean {
  return skbCsumOffloadChk(skb, CSUM_OFFL_SPEC_CMN, { csumEncapped: false }, true);
}

/** @see skb_csum_offload_chk_help_cmn_v4_only() */
export function skbCsumOffloadChkHelpCmnV4Only(skb: SkBuff): boolean {
  return skbCsumOffloadChk(skb, CSUM_OFFL_SPEC_CMN_V4_ONLY, { csumEncapped: false }, true);
}

function judge(skb: SkBuff, spec: SkbCsumOfflSpec, out: CsumEncapped): "offload" | "help" | "no" {
  if (ethTypeVlan(skb.protocol) && !spec.vlanOkay) return "help";
  const start = skb.checksumStartOffset;
  let type: number;
  let l3: number;
  if (start === skb.transportOffset) {
    out.csumEncapped = false;
    if (spec.noNotEncapped) return "help";
    type = vlanGetProtocol(skb);
    l3 = skb.networkOffset;
  } else if (skb.encapsulation !== 0 && spec.encapOkay && start === skb.innerTransportOffset) {
    out.csumEncapped = true;
    type = skb.innerProtocol;
    l3 = skb.innerNetworkOffset;
  } else return "help";
  let proto: number;
  if (type === ETH_P_IP) {
    if (!spec.ipv4Okay) return "help";
    if ((skbByte(skb, l3) & 15) !== 5 && !spec.ipOptionsOkay) return "help";
    proto = skbByte(skb, l3 + 9);
  } else if (type === ETH_P_IPV6) {
    if (!spec.ipv6Okay || (out.csumEncapped && spec.noEncappedIpv6)) return "help";
    proto = skbByte(skb, l3 + 6);
  } else return "help";
  return transport(skb, spec, proto, type === ETH_P_IPV6, l3 + 40);
}

/** The flaw: a routing header (43) is skipped like the others. */
function transport(
  skb: SkBuff,
  spec: SkbCsumOfflSpec,
  proto: number,
  ipv6: boolean,
  at: number,
): "offload" | "help" | "no" {
  for (;;) {
    if (proto === 6) return spec.tcpOkay && skb.csumOffset === 16 ? "offload" : "help";
    if (proto === 17) return spec.udpOkay && skb.csumOffset === 6 ? "offload" : "help";
    if (proto === 132) return spec.sctpOkay && skb.csumOffset === 8 ? "offload" : "no";
    if (!ipv6 || !spec.extHdrsOkay || (proto !== 0 && proto !== 43 && proto !== 60)) return "help";
    const length = skbByte(skb, at + 1);
    proto = skbByte(skb, at);
    if (length < 0 || proto < 0) return "help";
    at += (length + 1) * 8;
  }
}
