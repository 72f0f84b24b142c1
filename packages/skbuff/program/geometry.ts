// put, push, pull, trim, reserve. Where the kernel panics these answer PANIC and change nothing; the typed face
// throws. Addresses are returned as u32, 0 is NULL.
import { skbAt, skbHeadroom, skbIsNonlinear } from "./sk-buff";

/** The kernel would BUG here. */
export const PANIC: u32 = 0xffff_ffff;

/** Extend the linear data by n bytes at its end. @returns address of the new bytes, PANIC: nonlinear or beyond end */
export function skbPut(address: u32, n: u32): u32 {
  const skb = skbAt(address);
  if (skbIsNonlinear(skb) || n > skb.end - skb.tail) return PANIC;
  const at = skb.tail;
  skb.tail = at + n;
  skb.len = skb.len + n;
  return at;
}

/** Extend the packet by n bytes at its front. @returns the new data, PANIC: below head */
export function skbPush(address: u32, n: u32): u32 {
  const skb = skbAt(address);
  if (n > skbHeadroom(skb)) return PANIC;
  skb.data = skb.data - n;
  skb.len = skb.len + n;
  return skb.data;
}

/** Take n bytes off the front. @returns the new data, 0: longer than the packet, PANIC: reaches into frags */
export function skbPull(address: u32, n: u32): u32 {
  const skb = skbAt(address);
  if (n > skb.len) return 0;
  if (skb.len - n < skb.dataLen) return PANIC;
  skb.len = skb.len - n;
  skb.data = skb.data + n;
  return skb.data;
}

/** Cut a linear packet to n bytes when it is longer; a nonlinear one stays as it is (the kernel warns). */
export function skbTrim(address: u32, n: u32): void {
  const skb = skbAt(address);
  if (skb.len <= n || skbIsNonlinear(skb)) return;
  skb.len = n;
  skb.tail = skb.data + n;
}

/** Make headroom in an empty skb. @returns 0, PANIC: beyond end */
export function skbReserve(address: u32, n: u32): u32 {
  const skb = skbAt(address);
  if (n > skb.end - skb.tail) return PANIC;
  skb.data = skb.data + n;
  skb.tail = skb.tail + n;
  return 0;
}
