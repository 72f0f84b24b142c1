/** Take an in-band VLAN tag out of a packet; csum stays true. */
import { ethTypeVlan, type SkBuff } from "@netoffload/skbuff";
import { skbPullRcsum } from "./geometry.ts";

const VLAN_HLEN = 4;
const ETH_ALEN = 6;

/**
 * The tag becomes the accelerated one, and the addresses move over its place.
 * @param skb - data behind the Ethernet header, at the tag; the Ethernet header lies before it (mac_header set)
 * @returns false: too short, or a tag is accelerated already; nothing changed. True: also when there is no tag
 * @remarks An LLC frame's length field becomes ETH_P_802_2 (4) as the kernel does.
 * @see net/core/skbuff.c skb_vlan_untag()
 */
export function skbVlanUntag(skb: SkBuff): boolean {
  if (skb.vlanProto !== 0) return true;
  if (!ethTypeVlan(skb.protocol)) return true;
  if (!skb.pskbMayPull(VLAN_HLEN + 2)) return false;
  const { view, bytes } = skb.memory;
  const tci = view.getUint16(skb.data, false);
  const tpid = skb.protocol;
  const type = view.getUint16(skb.data + 2, false);
  skb.vlanProto = tpid;
  skb.vlanTci = tci;
  skbPullRcsum(skb, VLAN_HLEN);
  if (type >= 0x600) skb.protocol = type;
  else skb.protocol = view.getUint16(skb.data, false) === 0xffff ? 0x0001 : 0x0004;
  const mac = skb.head + skb.macHeader;
  bytes.copyWithin(mac + VLAN_HLEN, mac, mac + 2 * ETH_ALEN);
  skb.macHeader += VLAN_HLEN;
  skb.resetNetworkHeader();
  if (!skb.transportHeaderWasSet) skb.resetTransportHeader();
  skb.resetMacLen();
  return true;
}
