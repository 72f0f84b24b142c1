/** Small frames by hand, without checksums: what a virtio header's checks look at. */

const u16 = (n: number): number[] => [(n >> 8) & 255, n & 255];

export const ETH = (type: number): number[] => [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, ...u16(type)];
export const VLAN = (type: number): number[] => [...u16(5), ...u16(type)];

/** IPv4 header; words of options on request. */
export function IP4(
  protocol: number,
  payload: number,
  options: { words?: number; frag?: number } = {},
): number[] {
  const { words = 0, frag = 0 } = options;
  const head = [0x45 + words, 0, ...u16(20 + 4 * words + payload), 0, 1, ...u16(frag), 64, protocol, 0, 0];
  return [...head, 10, 0, 0, 1, 10, 0, 0, 2, ...new Array<number>(4 * words).fill(1)];
}

export function IP6(next: number, payload: number): number[] {
  const address = (last: number): number[] => [0xfd, ...new Array<number>(14).fill(0), last];
  return [0x60, 0, 0, 0, ...u16(payload), next, 64, ...address(1), ...address(2)];
}

export const TCP: number[] = [4, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 16, 0, 0, 0, 0, 0];
export const UDP = (payload: number): number[] => [4, 0, 0, 53, ...u16(8 + payload), 0, 0];
export const DATA = (n: number): number[] => Array.from({ length: n }, (_, i) => i & 255);

/** Ethernet, IP, transport, payload. */
export function frame(l3: 4 | 6, l4: "tcp" | "udp", payload: number): Uint8Array {
  const transport = [...(l4 === "tcp" ? TCP : UDP(payload)), ...DATA(payload)];
  const protocol = l4 === "tcp" ? 6 : 17;
  const ip = l3 === 4 ? IP4(protocol, transport.length) : IP6(protocol, transport.length);
  return Uint8Array.from([...ETH(l3 === 4 ? 0x0800 : 0x86dd), ...ip, ...transport]);
}

/** VXLAN in UDP: outer and inner family, inner transport. */
export function tunnel(outer: 4 | 6, inner: 4 | 6, l4: "tcp" | "udp", payload: number): Uint8Array {
  const inside = [0x08, 0, 0, 0, 0, 0, 1, 0, ...frame(inner, l4, payload)];
  const ip = outer === 4 ? IP4(17, 8 + inside.length) : IP6(17, 8 + inside.length);
  return Uint8Array.from([...ETH(outer === 4 ? 0x0800 : 0x86dd), ...ip, ...UDP(inside.length), ...inside]);
}
