/** Header offsets of a captured packet whose checksum is asked for inside of a tunnel, as the stack that built it has them. */
import { newParsed, type ParseRules, parseFixed, parseInner } from "@netoffload/nic-model";
import type { SkBuff } from "@netoffload/skbuff";

/** Every tunnel there is a rule for, at its standard port. */
const RULES: ParseRules = {
  maxVlan: 8,
  extHdrs: true,
  window: 0,
  encap: ["vxlan", "geneve", "gre", "ipip"],
  ports: { vxlan: [4789], geneve: [6081] },
};
const MAX_DEPTH = 8;
const ETH_P_TEB = 0x6558;
const outer = newParsed();
const inner = newParsed();

/** Is Ethernet inside of the tunnel whose transport header is at `at`? */
function carriesEthernet(frame: Uint8Array, at: number, proto: number): boolean {
  const type = (o: number): number => (frame[o]! << 8) | frame[o + 1]!;
  if (proto === 47) return type(at + 2) === ETH_P_TEB;
  return proto === 17 && (type(at + 2) === 4789 || type(at + 10) === ETH_P_TEB);
}

/**
 * Set outer and inner headers where `start` is a transport header inside of a tunnel; otherwise nothing.
 * @param skb - data at the frame's first byte
 * @param l2Length - 14, or 0 where frames begin with IP
 * @param start - csum_start, bytes from the frame's first
 */
export function setTunnelHeaders(skb: SkBuff, frame: Uint8Array, l2Length: number, start: number): void {
  if (parseFixed(frame, l2Length, RULES, outer).l3 === 0 || outer.l4Offset === start) return;
  Object.assign(inner, outer);
  let ethernet = false;
  for (let depth = 0; inner.l4Offset !== start; depth++) {
    ethernet = carriesEthernet(frame, inner.l4Offset, inner.l4);
    if (depth === MAX_DEPTH || !parseInner(frame, RULES, inner)) return;
  }
  const { headroom } = skb;
  skb.macHeader = headroom + l2Length - 14;
  skb.networkHeader = headroom + outer.l3Offset;
  skb.transportHeader = headroom + outer.l4Offset;
  skb.protocol =
    l2Length >= 2 ? (frame[l2Length - 2]! << 8) | frame[l2Length - 1]! : outer.l3 === 4 ? 0x0800 : 0x86dd;
  skb.encapsulation = 1;
  skb.innerNetworkHeader = headroom + inner.l3Offset;
  skb.innerMacHeader = headroom + inner.l3Offset - (ethernet ? 14 : 0);
  skb.innerTransportHeader = headroom + start;
  skb.innerProtocol = ethernet ? ETH_P_TEB : inner.l3 === 4 ? 0x0800 : 0x86dd;
}
