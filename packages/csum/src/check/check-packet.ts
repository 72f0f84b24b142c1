/** Check and repair single packets, for those who know nothing of skbs. */
import { type CheckedLayer, PacketChecker } from "./packet-checker.ts";

/** What a frame begins with. */
export interface CheckPacketOptions {
  /** LINKTYPE_ number of the capture: 1 Ethernet (default), 101 raw IP, 113 Linux cooked, 0 loopback, ... */
  readonly linkType?: number;
  /** Bytes the packet had on the wire; default: as many as the frame has. */
  readonly wireLength?: number;
}

/** How a packet is repaired. */
export interface FixPacketOptions extends CheckPacketOptions {
  /** Replace bad checksums too, not only those that a device was to fill in. */
  readonly all?: boolean;
}

let checker: PacketChecker | undefined;

/**
 * Name every checksum of a packet: IPv4, TCP, UDP, UDP-Lite, ICMP, ICMPv6, IGMP, GRE, SCTP, DCCP, inside tunnels
 * and behind extension headers too. A single packet's fragments are unverifiable; {@link PacketChecker} puts them
 * together.
 * @param frame - the captured bytes; not changed, not kept
 * @returns outermost first; empty when there is none. Nothing in a packet makes it throw
 */
export function checkPacket(frame: Uint8Array, options: CheckPacketOptions = {}): CheckedLayer[] {
  checker ??= new PacketChecker();
  checker.check(frame, options.linkType, options.wireLength);
  return checker.layers();
}

/**
 * Fill in the checksums a device was to fill in (verdict partial); with `all` the bad ones too.
 * @param frame - changed in place
 * @returns number of fields written
 */
export function fixPacket(frame: Uint8Array, options: FixPacketOptions = {}): number {
  checker ??= new PacketChecker();
  return checker.fix(frame, options.linkType, options.all, options.wireLength);
}
