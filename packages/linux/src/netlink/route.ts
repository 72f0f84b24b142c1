/** rtnetlink: links of the calling thread's network namespace. */
import { LinuxError } from "../errors.ts";
import { attributes, MessageWriter, textOf, u32Of } from "./message.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./socket.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const RTM_NEWADDR = 20;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const NLM_F_CREATE_EXCL = 0x600;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_TXQLEN = 13;
const IFLA_LINKINFO = 18;
const IFLA_STATS64 = 23;
const IFLA_NET_NS_FD = 28;
const IFLA_GSO_MAX_SIZE = 41;
const IFLA_GSO_IPV4_MAX_SIZE = 63;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_BRPORT_LEARNING = 8;
const IFLA_BRPORT_UNICAST_FLOOD = 9;
/** Offset of tx_dropped in struct rtnl_link_stats64. */
const TX_DROPPED_OFF = 7 * 8;
const VETH_INFO_PEER = 1;
const IFLA_BR_AGEING_TIME = 4;
const IFLA_BR_MCAST_SNOOPING = 23;
const IFLA_BR_NF_CALL_IPTABLES = 36;
const IFLA_BR_NF_CALL_IP6TABLES = 37;
const IFLA_BR_NF_CALL_ARPTABLES = 38;
const IFA_LOCAL = 2;
const IFF_UP = 1;
const IFF_PROMISC = 0x100;
const PF_BRIDGE = 7;

/** A network interface as the kernel lists it. */
export interface Link {
  readonly ifindex: number;
  readonly name: string;
  readonly mtu: number;
  /** IFF_* */
  readonly flags: number;
}

/** What {@link Route.setLink} changes; what is absent stays. */
export interface LinkChange {
  readonly up?: boolean;
  readonly promisc?: boolean;
  /** Bytes of payload behind the Ethernet header. */
  readonly mtu?: number;
  /** Packets that the transmit queue holds; for a tap also those that wait to be read. */
  readonly txqlen?: number;
  /** Packets of so many bytes and more are segmented before they reach the device: IPv6's limit. */
  readonly gsoMaxSize?: number;
  /** The same for everything else. */
  readonly gsoIpv4MaxSize?: number;
  /** ifindex of the bridge, 0: none. */
  readonly master?: number;
  /** Six bytes. */
  readonly address?: Uint8Array;
  /** Descriptor of the network namespace that the link moves to. */
  readonly netnsFd?: number;
}

/** Links made and changed over rtnetlink. Every method throws {@link LinuxError} with the kernel's errno. */
export class Route {
  readonly #socket: NetlinkSocket = new NetlinkSocket(NETLINK_ROUTE);

  /** Make a pair of veth. @returns their ifindexes */
  addVeth(name: string, peer: string): [number, number] {
    const message = new MessageWriter(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE_EXCL)
      .header(ifinfomsg(0))
      .text(IFLA_IFNAME, name)
      .nest(IFLA_LINKINFO, (m) =>
        m
          .text(IFLA_INFO_KIND, "veth")
          .nest(IFLA_INFO_DATA, (d) =>
            d.nest(VETH_INFO_PEER, (p) => p.header(ifinfomsg(0)).text(IFLA_IFNAME, peer)),
          ),
      );
    this.#socket.request(message, `add veth ${name} ${peer}`);
    return [this.ifindex(name), this.ifindex(peer)];
  }

  /** Make a bridge that keeps nothing of what it learns, snoops nothing and calls no firewall. @returns its ifindex */
  addBridge(name: string): number {
    const message = new MessageWriter(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE_EXCL)
      .header(ifinfomsg(0))
      .text(IFLA_IFNAME, name)
      .nest(IFLA_LINKINFO, (m) =>
        m
          .text(IFLA_INFO_KIND, "bridge")
          .nest(IFLA_INFO_DATA, (d) =>
            d
              .u32(IFLA_BR_AGEING_TIME, 0)
              .u8(IFLA_BR_MCAST_SNOOPING, 0)
              .u8(IFLA_BR_NF_CALL_IPTABLES, 0)
              .u8(IFLA_BR_NF_CALL_IP6TABLES, 0)
              .u8(IFLA_BR_NF_CALL_ARPTABLES, 0),
          ),
      );
    this.#socket.request(message, `add bridge ${name}`);
    return this.ifindex(name);
  }

  /** Change a link. */
  setLink(ifindex: number, change: LinkChange): void {
    const mask = (change.up === undefined ? 0 : IFF_UP) | (change.promisc === undefined ? 0 : IFF_PROMISC);
    const flags = (change.up === true ? IFF_UP : 0) | (change.promisc === true ? IFF_PROMISC : 0);
    const message = new MessageWriter(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK).header(
      ifinfomsg(ifindex, flags, mask),
    );
    if (change.mtu !== undefined) message.u32(IFLA_MTU, change.mtu);
    if (change.txqlen !== undefined) message.u32(IFLA_TXQLEN, change.txqlen);
    if (change.gsoMaxSize !== undefined) message.u32(IFLA_GSO_MAX_SIZE, change.gsoMaxSize);
    if (change.gsoIpv4MaxSize !== undefined) message.u32(IFLA_GSO_IPV4_MAX_SIZE, change.gsoIpv4MaxSize);
    if (change.master !== undefined) message.u32(IFLA_MASTER, change.master);
    if (change.address !== undefined) message.attr(IFLA_ADDRESS, change.address);
    if (change.netnsFd !== undefined) message.u32(IFLA_NET_NS_FD, change.netnsFd);
    this.#socket.request(message, `set link ${ifindex}`);
  }

  /** Whether a bridge's port learns the source addresses of what it receives. */
  setBridgePortLearning(ifindex: number, learning: boolean): void {
    this.#setBridgePort(ifindex, IFLA_BRPORT_LEARNING, learning);
  }

  /** Whether a bridge's port is sent frames for whose destination no port is known. */
  setBridgePortFlood(ifindex: number, flood: boolean): void {
    this.#setBridgePort(ifindex, IFLA_BRPORT_UNICAST_FLOOD, flood);
  }

  /** Packets that a link was to send and did not: among them those whose checksum could not be computed. */
  txDropped(ifindex: number): number {
    const message = new MessageWriter(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK).header(ifinfomsg(ifindex));
    const [answer] = this.#socket.request(message, `statistics of link ${ifindex}`);
    const stats = answer && attributes(answer.payload.subarray(16)).get(IFLA_STATS64);
    return u32Of(stats?.subarray(TX_DROPPED_OFF));
  }

  #setBridgePort(ifindex: number, attribute: number, on: boolean): void {
    const message = new MessageWriter(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK)
      .header(ifinfomsg(ifindex, 0, 0, PF_BRIDGE))
      .nest(IFLA_PROTINFO, (m) => m.u8(attribute, on ? 1 : 0));
    this.#socket.request(message, `set bridge port ${ifindex}`);
  }

  deleteLink(ifindex: number): void {
    const message = new MessageWriter(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK).header(ifinfomsg(ifindex));
    this.#socket.request(message, `delete link ${ifindex}`);
  }

  /** Give a link an IPv4 address. @param address - 4 bytes; @param prefixLen - bits */
  addAddress(ifindex: number, address: Uint8Array, prefixLen: number): void {
    const header = new Uint8Array(8);
    header.set([2, prefixLen, 0, 0]);
    new DataView(header.buffer).setUint32(4, ifindex, true);
    const message = new MessageWriter(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE_EXCL)
      .header(header)
      .attr(IFA_LOCAL, address);
    this.#socket.request(message, `add address to link ${ifindex}`);
  }

  /** All links. */
  links(): Link[] {
    const message = new MessageWriter(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP).header(ifinfomsg(0));
    return this.#socket.request(message, "list links").map(({ payload }) => {
      const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
      const attrs = attributes(payload.subarray(16));
      return {
        ifindex: view.getInt32(4, true),
        flags: view.getUint32(8, true),
        name: textOf(attrs.get(IFLA_IFNAME)),
        mtu: u32Of(attrs.get(IFLA_MTU)),
      };
    });
  }

  /** The number of a link. */
  ifindex(name: string): number {
    const found = this.links().find((link) => link.name === name);
    if (found === undefined)
      throw new LinuxError("ENODEV", `no link is named ${name}`, { name }, { errno: 19 });
    return found.ifindex;
  }

  close(): void {
    this.#socket.close();
  }
}

/** struct ifinfomsg. */
function ifinfomsg(ifindex: number, flags = 0, change = 0, family = 0): Uint8Array {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  header[0] = family;
  view.setInt32(4, ifindex, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return header;
}
