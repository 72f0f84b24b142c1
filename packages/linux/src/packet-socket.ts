/** AF_PACKET sockets: frames of one interface, with what the kernel knows of them. */
import { type BpfInstruction, encodeFilter } from "./classic-bpf.ts";
import { ok } from "./errors.ts";
import { libc } from "./libc.ts";
import { StructBytes } from "./struct-bytes.ts";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_ATTACH_FILTER = 26;
const SOL_PACKET = 263;
const PACKET_AUXDATA = 8;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_VNET_HDR_SZ = 24;
const PACKET_QDISC_BYPASS = 20;
const ETH_P_ALL = 0x0003;
const POLLIN = 1;
const MSG_TRUNC = 0x20;

/** How a packet socket is made. */
export interface PacketSocketOptions {
  readonly ifindex: number;
  /** Bytes of virtio_net_hdr before each frame, both ways; 0 (default): none. */
  readonly vnetHdrSize?: 0 | 10 | 12;
  /** Receive what others send out by the interface too; default false. */
  readonly outgoing?: boolean;
  /** Do not receive at all: for sending alone. */
  readonly sendOnly?: boolean;
  /** Sent frames skip the queueing discipline. */
  readonly qdiscBypass?: boolean;
  readonly receiveBytes?: number;
}

/** struct tpacket_auxdata: what came with a frame. */
export interface PacketAuxdata {
  /** TP_STATUS_*: VLAN_VALID 1 << 4, CSUM_VALID 1 << 7, CSUMNOTREADY 1 << 3. */
  readonly status: number;
  /** Bytes of the frame before it was cut. */
  readonly len: number;
  readonly snaplen: number;
  readonly vlanTci: number;
  readonly vlanTpid: number;
}

/** Bound to one interface; non-blocking. */
export class PacketSocket {
  readonly fd: number;
  readonly #pollfd: StructBytes;
  readonly #control: Uint8Array = new Uint8Array(64);

  /** Throws {@link LinuxError}: EPERM without CAP_NET_RAW, ENODEV, EINVAL for what the kernel does not offer. */
  constructor(options: PacketSocketOptions) {
    const c = libc();
    const flags = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
    // protocol 0: nothing is received until bind says so, hence no frame of another interface
    this.fd = ok(c.socket(AF_PACKET, flags, 0), "socket AF_PACKET");
    this.#pollfd = new StructBytes(8).u32(0, this.fd).u16(4, POLLIN);
    const set = (name: number, value: number, what: string): number =>
      ok(c.setsockopt(this.fd, SOL_PACKET, name, new StructBytes(4).u32(0, value)), what);
    if (options.vnetHdrSize === 10) set(PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
    else if (options.vnetHdrSize) set(PACKET_VNET_HDR_SZ, options.vnetHdrSize, "PACKET_VNET_HDR_SZ");
    if (options.outgoing !== true) set(PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
    if (options.qdiscBypass === true) set(PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS");
    set(PACKET_AUXDATA, 1, "PACKET_AUXDATA");
    const bytes = new StructBytes(4).u32(0, options.receiveBytes ?? 1 << 26);
    ok(c.setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes), "SO_RCVBUFFORCE");
    const protocol = options.sendOnly === true ? 0 : ETH_P_ALL;
    const sockaddr = new Uint8Array(20);
    const view = new DataView(sockaddr.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, protocol, false);
    view.setInt32(4, options.ifindex, true);
    ok(c.bind(this.fd, sockaddr), `bind AF_PACKET to link ${options.ifindex}`);
  }

  /** A frame (after its virtio_net_hdr) is received cut to as many bytes as the filter returns, 0: not at all. */
  attachFilter(program: readonly BpfInstruction[]): void {
    const fprog = new StructBytes(16).u16(0, program.length).pointer(8, encodeFilter(program));
    ok(libc().setsockopt(this.fd, SOL_SOCKET, SO_ATTACH_FILTER, fprog), "SO_ATTACH_FILTER");
  }

  /** @returns bytes sent, or a negative errno */
  send(buffer: Uint8Array): number {
    return libc().send(this.fd, buffer);
  }

  /** @returns bytes received (the frame's own length where `buffer` is too short), or a negative errno */
  receive(buffer: Uint8Array): number {
    return libc().recv(this.fd, buffer, MSG_TRUNC);
  }

  /** As {@link receive}, with what came beside the frame. */
  receiveAux(buffer: Uint8Array): { length: number; aux: PacketAuxdata | null } {
    const iov = new StructBytes(16).pointer(0, buffer).u64(8, BigInt(buffer.length));
    const message = new StructBytes(56)
      .pointer(16, iov)
      .u64(24, 1n)
      .pointer(32, this.#control)
      .u64(40, BigInt(this.#control.length));
    const length = libc().recvmsg(this.fd, message, MSG_TRUNC);
    return { length, aux: length < 0 ? null : auxOf(this.#control, Number(message.getU64(40))) };
  }

  /** Wait until there is something to receive. @returns false: nothing within `milliseconds` */
  wait(milliseconds: number): boolean {
    return libc().poll(this.#pollfd.bytes, 1, milliseconds) > 0;
  }

  close(): void {
    libc().close(this.fd);
  }
}

/** The auxdata of a control buffer. */
function auxOf(control: Uint8Array, length: number): PacketAuxdata | null {
  const view = new DataView(control.buffer);
  if (length < 16 + 20) return null;
  if (view.getInt32(8, true) !== SOL_PACKET || view.getInt32(12, true) !== PACKET_AUXDATA) return null;
  return {
    status: view.getUint32(16, true),
    len: view.getUint32(20, true),
    snaplen: view.getUint32(24, true),
    vlanTci: view.getUint16(32, true),
    vlanTpid: view.getUint16(34, true),
  };
}
