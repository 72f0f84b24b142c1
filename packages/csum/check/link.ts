// The first header of a frame, by the capture's link type.
import { NS_ETHERNET, NS_ETHERTYPE, NS_GUESS, NS_LLC, NS_PPP, STOP_ENCRYPTED, STOP_LINK_TYPE, STOP_NO_CHECKSUM } from "./codes";
import { be16, cut, go, stop, W } from "./state";

const ETH_P_IP: u32 = 0x0800;
const ETH_P_IPV6: u32 = 0x86dd;
const ETH_P_MPLS: u32 = 0x8847;

/** Address family of BSD's loopback headers, in either byte order. */
function family(skip: u32): void {
  if (cut(skip)) return;
  const raw = load<u32>(W.cur);
  const value = raw > 0xffff ? bswap<u32>(raw) : raw;
  if (value == 2) go(NS_ETHERTYPE, ETH_P_IP, skip);
  // 10 Linux, 24 NetBSD and OpenBSD, 28 FreeBSD, 30 macOS
  else if (value == 10 || value == 24 || value == 28 || value == 30) go(NS_ETHERTYPE, ETH_P_IPV6, skip);
  else stop(STOP_NO_CHECKSUM);
}

/** Linux cooked: a protocol number below 0x600 names a frame format. */
function cooked(protocolAt: u32, headerLen: u32): void {
  if (cut(headerLen)) return;
  const protocol = be16(W.cur + protocolAt);
  if (protocol >= 0x600) go(NS_ETHERTYPE, protocol, headerLen);
  else if (protocol == 4) go(NS_LLC, 0, headerLen);
  else stop(STOP_NO_CHECKSUM);
}

/** Cisco HDLC: address, control, EtherType. */
function ciscoHdlc(): void {
  if (cut(4)) return;
  go(NS_ETHERTYPE, be16(W.cur + 2), 4);
}

/** PPP in HDLC-like framing, or Cisco HDLC, which its first byte tells apart. */
function pppSerial(): void {
  if (cut(2)) return;
  const first = load<u8>(W.cur);
  if (first == 0x0f || first == 0x8f) ciscoHdlc();
  else go(NS_PPP, 0, 0);
}

/** Q.922 address of two bytes, then the network layer protocol id (RFC 2427). */
function frameRelay(): void {
  if (cut(4)) return;
  const nlpid = load<u8>(W.cur, 3);
  if (load<u8>(W.cur, 2) != 3) stop(STOP_NO_CHECKSUM);
  else if (nlpid == 0xcc) go(NS_ETHERTYPE, ETH_P_IP, 4);
  else if (nlpid == 0x8e) go(NS_ETHERTYPE, ETH_P_IPV6, 4);
  else if (nlpid == 0xcf) go(NS_PPP, 0, 4);
  else stop(STOP_NO_CHECKSUM);
}

/** FDDI: only the LLC frames carry packets. */
function fddi(): void {
  if (cut(13)) return;
  if ((load<u8>(W.cur) & 0xf0) == 0x50) go(NS_LLC, 0, 13);
  else stop(STOP_NO_CHECKSUM);
}

/** Data frames of IEEE 802.11 that are not encrypted. */
function wireless(skip: u32, datapad: bool): void {
  if (cut(skip + 24)) return;
  W.cur += skip;
  const control: u32 = load<u8>(W.cur);
  const flags: u32 = load<u8>(W.cur, 1);
  // type data; a subtype with bit 2 set carries no bytes
  if ((control & 0x0c) != 0x08 || control & 0x40) {
    stop(STOP_NO_CHECKSUM);
    return;
  }
  if (flags & 0x40) {
    stop(STOP_ENCRYPTED);
    return;
  }
  let len: u32 = (flags & 3) == 3 ? 30 : 24;
  if (control & 0x80) {
    if (cut(len + 2)) return;
    // an aggregate of several frames
    if (load<u8>(W.cur + len) & 0x80) {
      stop(STOP_NO_CHECKSUM);
      return;
    }
    len += 2;
    if (flags & 0x80) len += 4;
  }
  if (datapad) len = (len + 3) & ~3;
  if (cut(len)) return;
  go(NS_LLC, 0, len);
}

/** Radiotap: its length says where the 802.11 header is, its flags whether that is padded. */
function radiotap(): void {
  if (cut(8)) return;
  const len: u32 = load<u16>(W.cur, 2);
  const present = load<u32>(W.cur, 4);
  let at: u32 = 8;
  let word = present;
  while (word & 0x8000_0000) {
    if (cut(at + 4) || at + 4 > len) return;
    word = load<u32>(W.cur + at);
    at += 4;
  }
  let datapad = false;
  if (present & 2) {
    // a timestamp of 8 bytes, aligned, may come before the flags
    if (present & 1) at = ((at + 7) & ~7) + 8;
    if (cut(at + 1)) return;
    const flags = load<u8>(W.cur + at);
    datapad = (flags & 0x20) != 0;
    // the frame check sequence is no payload
    if (flags & 0x10 && W.end - W.cur >= 4) {
      W.end -= 4;
      W.lim = min<usize>(W.end, W.cap);
    }
  }
  if (cut(len)) return;
  wireless(len, datapad);
}

/** Linux netfilter log: type-length-value attributes, the payload is number 9. */
function nflog(): void {
  if (cut(4)) return;
  const af = load<u8>(W.cur);
  W.cur += 4;
  while (!cut(4)) {
    const len: u32 = load<u16>(W.cur);
    const type: u32 = load<u16>(W.cur, 2) & 0x7fff;
    if (type == 9) {
      if (len >= 4 && len <= <u32>(W.end - W.cur)) {
        W.end = W.cur + len;
        W.lim = min<usize>(W.end, W.cap);
      }
      go(NS_ETHERTYPE, af == 10 ? ETH_P_IPV6 : ETH_P_IP, 4);
      return;
    }
    if (len < 4 || cut((len + 3) & ~3)) break;
    W.cur += (len + 3) & ~3;
  }
  stop(STOP_NO_CHECKSUM);
}

/** Set the walk to the frame's first header. @param linkType - LINKTYPE_ number of a capture file */
export function enterLink(linkType: u32): void {
  switch (linkType) {
    case 1: go(NS_ETHERNET, 0, 0); return;
    case 12: case 14: case 101: go(NS_GUESS, 0, 0); return;
    case 228: go(NS_ETHERTYPE, ETH_P_IP, 0); return;
    case 229: go(NS_ETHERTYPE, ETH_P_IPV6, 0); return;
    case 0: case 108: family(4); return;
    case 109: family(12); return;
    case 113: cooked(14, 16); return;
    case 276: cooked(0, 20); return;
    case 9: case 50: pppSerial(); return;
    case 51: go(NS_ETHERTYPE, 0x8864, 0); return;
    case 166: case 204: if (!cut(1)) go(NS_PPP, 0, 1); return;
    case 104: ciscoHdlc(); return;
    case 107: frameRelay(); return;
    case 10: fddi(); return;
    case 100: go(NS_LLC, 0, 0); return;
    case 123: if (!cut(4)) go(NS_LLC, 0, 4); return;
    case 122: if (!cut(16)) go(NS_LLC, 0, 16); return;
    case 138: if (!cut(18)) go(NS_ETHERTYPE, be16(W.cur + 16), 18); return;
    case 105: wireless(0, false); return;
    case 127: radiotap(); return;
    case 219: go(NS_ETHERTYPE, ETH_P_MPLS, 0); return;
    case 239: nflog(); return;
    default: stop(STOP_LINK_TYPE);
  }
}
