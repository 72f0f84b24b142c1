/** Taps: Ethernet interfaces whose other side is a descriptor. */
import { LinuxError, ok } from "./errors.ts";
import { libc } from "./libc.ts";
import { StructBytes } from "./struct-bytes.ts";

const O_RDWR = 2;
const O_NONBLOCK = 0x800;
const O_CLOEXEC = 0x80000;
const TUNSETIFF = 0x400454ca;
const TUNGETFEATURES = 0x800454cf;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;

/** What the reader of a tap takes off the kernel's hands (TUNSETOFFLOAD). */
export const TUN_F_CSUM = 0x01;
/** Offload the reader takes: TCP over IPv4 segmentation. */
export const TUN_F_TSO4 = 0x02;
/** Offload the reader takes: TCP over IPv6 segmentation. */
export const TUN_F_TSO6 = 0x04;
/** Offload the reader takes: TCP segmentation of packets with ECN. */
export const TUN_F_TSO_ECN = 0x08;
/** Offload the reader takes: UDP fragmentation. */
export const TUN_F_UFO = 0x10;
/** Offload the reader takes: UDP over IPv4 segmentation. */
export const TUN_F_USO4 = 0x20;
/** Offload the reader takes: UDP over IPv6 segmentation. */
export const TUN_F_USO6 = 0x40;
/** UDP tunnel GSO, Linux 6.17 and later; needs the header of 24 bytes. */
export const TUN_F_UDP_TUNNEL_GSO = 0x080;
/** Offload the reader takes: The outer checksum of UDP tunnels when segmenting. */
export const TUN_F_UDP_TUNNEL_GSO_CSUM = 0x100;

/** How a tap is made. */
export interface TapOptions {
  /** Name of the interface; `%d` is replaced by a number. */
  readonly name: string;
  /** Bytes of virtio_net_hdr before each frame: 10, 12, 20 or (6.17 and later) 24; 0: none. */
  readonly vnetHdrSize?: 0 | 10 | 12 | 20 | 24;
  /** TUN_F_* bits; default 0: the kernel segments and checksums everything itself. */
  readonly offloads?: number;
}

/** One tap. It ends with its descriptor, so that nothing remains of it when the process dies. */
export class Tap {
  readonly fd: number;
  readonly name: string;
  readonly vnetHdrSize: number;

  /** Throws {@link LinuxError}: EACCES or EPERM without the right, ENOENT without /dev/net/tun, EINVAL for what the kernel does not offer. */
  constructor(options: TapOptions) {
    const c = libc();
    this.vnetHdrSize = options.vnetHdrSize ?? 0;
    this.fd = ok(c.open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "open /dev/net/tun");
    try {
      const flags = IFF_TAP | IFF_NO_PI | (this.vnetHdrSize === 0 ? 0 : IFF_VNET_HDR);
      const ifreq = new StructBytes(IFREQ_BYTES).text(0, options.name, IFNAMSIZ).u16(IFNAMSIZ, flags);
      ok(c.ioctl(this.fd, TUNSETIFF, ifreq), `tap ${options.name}`);
      const name = ifreq.bytes.subarray(0, IFNAMSIZ);
      this.name = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
      if (this.vnetHdrSize !== 0) {
        const size = new StructBytes(4).u32(0, this.vnetHdrSize);
        ok(c.ioctl(this.fd, TUNSETVNETHDRSZ, size), `tap ${this.name}: header of ${this.vnetHdrSize} bytes`);
      }
      this.setOffloads(options.offloads ?? 0);
    } catch (error) {
      c.close(this.fd);
      throw error;
    }
  }

  /** @param offloads - TUN_F_* bits; throws {@link LinuxError} EINVAL for a combination the kernel refuses */
  setOffloads(offloads: number): void {
    const what = `tap ${this.name}: offloads 0x${offloads.toString(16)}`;
    ok(libc().ioctlValue(this.fd, TUNSETOFFLOAD, offloads), what);
  }

  /**
   * Hand a frame to the kernel as if it came from the wire.
   * @param buffer - virtio_net_hdr and frame; @param length - bytes of both
   * @returns `length`, or a negative errno
   */
  write(buffer: Uint8Array, length: number = buffer.length): number {
    return libc().write(this.fd, buffer, length);
  }

  /**
   * Take a frame that the kernel sent out.
   * @returns bytes read, virtio_net_hdr included; -EAGAIN (-11) when none waits
   */
  read(buffer: Uint8Array): number {
    return libc().read(this.fd, buffer);
  }

  /** The interface ends too. */
  close(): void {
    libc().close(this.fd);
  }
}

/** IFF_* bits that this kernel's tun driver knows; throws {@link LinuxError}. */
export function tunFeatures(): number {
  const c = libc();
  const fd = ok(c.open("/dev/net/tun", O_RDWR | O_CLOEXEC), "open /dev/net/tun");
  try {
    const features = new StructBytes(4);
    ok(c.ioctl(fd, TUNGETFEATURES, features), "TUNGETFEATURES");
    return features.getU32(0);
  } finally {
    c.close(fd);
  }
}

/** True where a tap takes these TUN_F_* bits; makes one for a moment in the calling thread's namespace. */
export function tapOffers(offloads: number, vnetHdrSize: 10 | 12 | 20 | 24): boolean {
  try {
    new Tap({ name: "probe%d", vnetHdrSize, offloads }).close();
    return true;
  } catch (error) {
    if (error instanceof LinuxError && error.code === "EINVAL") return false;
    throw error;
  }
}
