/** Link-layer header types as written in capture files. @see https://www.tcpdump.org/linktypes.html */

/** BSD loopback: 4-byte address family in the byte order of the machine that captured. */
export const LINKTYPE_NULL = 0;
/** Ethernet from the destination address on, without preamble. */
export const LINKTYPE_ETHERNET = 1;
/** Raw IP as some systems number it (12, and 14 on OpenBSD): the version nibble tells IPv4 from IPv6. */
export const LINKTYPE_RAW_12 = 12;
/** Raw IP as OpenBSD numbers it. */
export const LINKTYPE_RAW_14 = 14;
/** Raw IP: the version nibble tells IPv4 from IPv6. */
export const LINKTYPE_RAW = 101;
/** OpenBSD loopback: 4-byte address family, big endian. */
export const LINKTYPE_LOOP = 108;
/** Linux cooked capture, version 1: 16-byte header. */
export const LINKTYPE_LINUX_SLL = 113;
/** Raw IPv4. */
export const LINKTYPE_IPV4 = 228;
/** Raw IPv6. */
export const LINKTYPE_IPV6 = 229;
/** Linux cooked capture, version 2: 20-byte header. */
export const LINKTYPE_LINUX_SLL2 = 276;

const NAMES: readonly (readonly [number, string])[] = [
  [LINKTYPE_NULL, "NULL"],
  [LINKTYPE_ETHERNET, "ETHERNET"],
  [6, "IEEE802_5"],
  [9, "PPP"],
  [10, "FDDI"],
  [LINKTYPE_RAW_12, "RAW"],
  [LINKTYPE_RAW_14, "RAW"],
  [50, "PPP_HDLC"],
  [51, "PPP_ETHER"],
  [LINKTYPE_RAW, "RAW"],
  [104, "C_HDLC"],
  [105, "IEEE802_11"],
  [107, "FRELAY"],
  [LINKTYPE_LOOP, "LOOP"],
  [LINKTYPE_LINUX_SLL, "LINUX_SLL"],
  [127, "IEEE802_11_RADIOTAP"],
  [147, "USER0"],
  [189, "USB_LINUX"],
  [220, "USB_LINUX_MMAPPED"],
  [227, "CAN_SOCKETCAN"],
  [LINKTYPE_IPV4, "IPV4"],
  [LINKTYPE_IPV6, "IPV6"],
  [253, "NETLINK"],
  [LINKTYPE_LINUX_SLL2, "LINUX_SLL2"],
];

/**
 * The registered name of a link type, without its LINKTYPE_ prefix.
 * @returns e.g. `"ETHERNET"`, or `"LINKTYPE_<number>"` for one this package has no name for
 */
export function linkTypeName(linkType: number): string {
  for (const [number, name] of NAMES) if (number === linkType) return name;
  return `LINKTYPE_${linkType}`;
}

/** Is this one of the link types {@link LinkHeader} can step over? */
export function isKnownLinkType(linkType: number): boolean {
  switch (linkType) {
    case LINKTYPE_NULL:
    case LINKTYPE_ETHERNET:
    case LINKTYPE_RAW_12:
    case LINKTYPE_RAW_14:
    case LINKTYPE_RAW:
    case LINKTYPE_LOOP:
    case LINKTYPE_LINUX_SLL:
    case LINKTYPE_IPV4:
    case LINKTYPE_IPV6:
    case LINKTYPE_LINUX_SLL2:
      return true;
    default:
      return false;
  }
}

const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;

/** AF_INET6 of Linux, NetBSD/OpenBSD, FreeBSD and Darwin; AF_INET is 2 everywhere. */
const familyToEtherType = (family: number): number =>
  family === 2
    ? ETH_P_IP
    : family === 10 || family === 24 || family === 28 || family === 30
      ? ETH_P_IPV6
      : -1;

/**
 * Where the network header of a captured packet begins, and of what protocol it is: a scratch struct that the caller
 * owns and uses again for every packet (nothing is allocated).
 *
 * VLAN tags are not stepped over: their EtherType is reported as it stands.
 */
export class LinkHeader {
  /** Bytes from the packet's first byte to the network header. */
  headerLen: number = 0;
  /** EtherType (a value below 1536 is an 802.3 length), or -1 when the link type or address family is unknown. */
  etherType: number = -1;

  /**
   * @param linkType - as in the file
   * @param view - the buffer that holds the packet
   * @param offset - of the packet's first byte in `view`
   * @param caplen - captured bytes from there
   * @returns false when the link type is not known or its header is cut off; `etherType` is then -1
   */
  parse(linkType: number, view: DataView, offset: number, caplen: number): boolean {
    this.headerLen = 0;
    this.etherType = -1;
    switch (linkType) {
      case LINKTYPE_ETHERNET:
        if (caplen < 14) return false;
        this.headerLen = 14;
        this.etherType = view.getUint16(offset + 12, false);
        return true;
      case LINKTYPE_LINUX_SLL:
        if (caplen < 16) return false;
        this.headerLen = 16;
        this.etherType = view.getUint16(offset + 14, false);
        return true;
      case LINKTYPE_LINUX_SLL2:
        if (caplen < 20) return false;
        this.headerLen = 20;
        this.etherType = view.getUint16(offset, false);
        return true;
      case LINKTYPE_RAW:
      case LINKTYPE_RAW_12:
      case LINKTYPE_RAW_14: {
        if (caplen < 1) return false;
        const version = view.getUint8(offset) >> 4;
        this.etherType = version === 4 ? ETH_P_IP : version === 6 ? ETH_P_IPV6 : -1;
        return this.etherType >= 0;
      }
      case LINKTYPE_IPV4:
        this.etherType = ETH_P_IP;
        return true;
      case LINKTYPE_IPV6:
        this.etherType = ETH_P_IPV6;
        return true;
      case LINKTYPE_NULL:
      case LINKTYPE_LOOP: {
        if (caplen < 4) return false;
        this.headerLen = 4;
        let family = view.getUint32(offset, false);
        // The capturing machine's byte order is not in the file; a family is a small number, so the order shows.
        if (linkType === LINKTYPE_NULL && family > 0xffff) family = view.getUint32(offset, true);
        this.etherType = familyToEtherType(family);
        return this.etherType >= 0;
      }
      default:
        return false;
    }
  }
}
