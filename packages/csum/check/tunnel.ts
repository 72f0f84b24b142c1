// Packets in UDP, told by port: what IANA assigned, and Linux's own VXLAN port.
import {
  ENCAP_FOU, ENCAP_GENEVE, ENCAP_GUE, ENCAP_MPLS, ENCAP_VXLAN, ENCAP_VXLAN_GPE,
} from "./codes";
import { NS_ETHERNET, NS_ETHERTYPE, NS_GUESS, NS_IP, NS_PPP, STOP_END, STOP_ENCRYPTED, STOP_MALFORMED } from "./codes";
import { sctp } from "./l4";
import { be16, cut, go, PORTS, setEnd, stop, W } from "./state";

const ETH_P_IP: u32 = 0x0800;
const ETH_P_IPV6: u32 = 0x86dd;
const ETH_P_MPLS: u32 = 0x8847;

/** VXLAN (RFC 7348): 8 bytes, then an Ethernet frame. */
function vxlan(): void {
  if (!cut(8)) go(NS_ETHERNET, 0, 8);
}

/** VXLAN-GPE: with the P flag a next protocol. */
function vxlanGpe(): void {
  if (cut(8)) return;
  const next: u32 = load<u8>(W.cur) & 4 ? load<u8>(W.cur, 3) : 3;
  if (next == 1) go(NS_ETHERTYPE, ETH_P_IP, 8);
  else if (next == 2) go(NS_ETHERTYPE, ETH_P_IPV6, 8);
  else if (next == 3) go(NS_ETHERNET, 0, 8);
  else if (next == 4) go(NS_ETHERTYPE, 0x894f, 8);
  else if (next == 5) go(NS_ETHERTYPE, ETH_P_MPLS, 8);
  else stop(STOP_END);
}

/** Geneve (RFC 8926). */
function geneve(): void {
  if (cut(8)) return;
  const first: u32 = load<u8>(W.cur);
  const len: u32 = 8 + ((first & 63) << 2);
  if (first >> 6) {
    stop(STOP_MALFORMED);
    return;
  }
  if (cut(len)) return;
  go(NS_ETHERTYPE, be16(W.cur + 2), len);
}

/** Generic UDP encapsulation: version 0 has a header, version 1 is the IP packet itself. */
function gue(): void {
  if (cut(4)) return;
  const first: u32 = load<u8>(W.cur);
  const version = first >> 6;
  if (version == 1) {
    go(NS_GUESS, 0, 0);
    return;
  }
  const len: u32 = 4 + ((first & 31) << 2);
  if (version != 0 || first & 32) {
    stop(STOP_END);
    return;
  }
  if (cut(len)) return;
  go(NS_IP, load<u8>(W.cur, 1), len);
}

/** L2TP version 2: data messages carry PPP (RFC 2661). */
function l2tp(): void {
  if (cut(6)) return;
  const flags = be16(W.cur);
  if ((flags & 15) != 2 || flags & 0x8000) {
    stop(STOP_END);
    return;
  }
  let len: u32 = 6;
  if (flags & 0x4000) {
    const total = be16(W.cur + 2);
    if (total < <u32>(W.end - W.cur)) setEnd(W.cur + total);
    len += 2;
  }
  if (flags & 0x0800) len += 4;
  if (flags & 0x0200) {
    if (cut(len + 2)) return;
    len += 2 + be16(W.cur + len);
  }
  if (cut(len)) return;
  go(NS_PPP, 0, len);
}

/** GTP version 1, user plane: G-PDUs carry IP. */
function gtp(): void {
  if (cut(8)) return;
  const first: u32 = load<u8>(W.cur);
  if (first >> 4 != 3 || load<u8>(W.cur, 1) != 255) {
    stop(STOP_END);
    return;
  }
  const payload = be16(W.cur + 2);
  if (payload < <u32>(W.end - W.cur) - 8) setEnd(W.cur + 8 + payload);
  let len: u32 = 8;
  if (first & 7) {
    if (cut(12)) return;
    len = 12;
    // extension headers: length in words first, the next one's type last
    let next: u32 = first & 4 ? load<u8>(W.cur, 11) : 0;
    while (next) {
      if (cut(len + 4)) return;
      const size: u32 = <u32>load<u8>(W.cur + len) << 2;
      if (size == 0) {
        stop(STOP_MALFORMED);
        return;
      }
      if (cut(len + size)) return;
      len += size;
      next = load<u8>(W.cur + len - 1);
    }
  }
  go(NS_GUESS, 0, len);
}

/** Teredo (RFC 4380): authentication and origin may precede the IPv6 packet. */
function teredo(): void {
  if (cut(2)) return;
  if (be16(W.cur) == 1) {
    if (cut(4)) return;
    const len: u32 = 13 + <u32>load<u8>(W.cur, 2) + <u32>load<u8>(W.cur, 3);
    if (cut(len + 2)) return;
    W.cur += len;
  }
  if (be16(W.cur) == 0) {
    if (cut(8)) return;
    W.cur += 8;
  }
  if (cut(1)) return;
  if (load<u8>(W.cur) >> 4 == 6) go(NS_ETHERTYPE, ETH_P_IPV6, 0);
  else stop(STOP_END);
}

/** A port that the user told of. */
function told(kind: u32): void {
  if (kind >= ENCAP_FOU) go(NS_IP, kind & 0xff, 0);
  else if (kind == ENCAP_VXLAN) vxlan();
  else if (kind == ENCAP_VXLAN_GPE) vxlanGpe();
  else if (kind == ENCAP_GENEVE) geneve();
  else if (kind == ENCAP_GUE) gue();
  else if (kind == ENCAP_MPLS) go(NS_ETHERTYPE, ETH_P_MPLS, 0);
  else stop(STOP_END);
}

/** @returns false when the port means nothing here */
function enter(port: u32): bool {
  for (let i: u32 = 0; i < W.ports; i++) {
    const entry = load<u32>(W.area + PORTS + (i << 2));
    if ((entry & 0xffff) != port) continue;
    told(entry >> 16);
    return true;
  }
  switch (port) {
    case 4789: case 8472: vxlan(); return true;
    case 4790: vxlanGpe(); return true;
    case 6081: geneve(); return true;
    case 6080: gue(); return true;
    case 6635: go(NS_ETHERTYPE, ETH_P_MPLS, 0); return true;
    case 1701: l2tp(); return true;
    case 2152: gtp(); return true;
    case 3544: teredo(); return true;
    // LISP data
    case 4341: if (!cut(8)) go(NS_GUESS, 0, 8); return true;
    case 4500: stop(STOP_ENCRYPTED); return true;
    // SCTP in UDP (RFC 6951)
    case 9899: sctp(); return true;
    default: return false;
  }
}

export function udpPort(): void {
  if (W.cur >= W.lim) {
    stop(STOP_END);
    return;
  }
  const ports = W.proto;
  if (!enter(ports & 0xffff)) {
    // protocols whose answers come from the well-known port
    const source = ports >> 16;
    if (source == 1701 || source == 3544 || source == 9899 || source == 2152) enter(source);
    else stop(STOP_END);
  }
}
