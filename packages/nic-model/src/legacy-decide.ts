/** A driver of a fixed-function device decides for each packet: the device, or software and why. */
import { type LegacyCsumCaps, skbCsumHwoffloadLegacyCheck } from "@netoffload/csum";
import type { SkBuff } from "@netoffload/skbuff";
import { CSUM_MODE } from "./descriptor.ts";
import { lengthsUnfit, locateHeaders, tunnelUnfit, zeroUnfit } from "./legacy-caps.ts";
import type { Profile } from "./profiles/profile.ts";

/** How a device is asked for a checksum. */
export interface Asked {
  /** One of CSUM_MODE. */
  readonly mode: number;
  readonly l3: number;
  readonly l4: number;
  /** The checksum is inside of a tunnel. */
  readonly inner: boolean;
}

/** The driver counts and computes itself what the device cannot. */
const NO_HELP = { help: false };

/**
 * By its capabilities, packet for packet.
 * @param caps - null: the driver of before the paper, which asks for whatever comes
 * @returns how to ask, or why not
 */
export function decideLegacy(
  skb: SkBuff,
  profile: Profile,
  caps: LegacyCsumCaps | null,
  l2Length: number,
  queue: number,
): Asked | string {
  const { csum } = profile.tx;
  if (csum.mode === "none") return "no_csum";
  if (caps === null) return unchecked(skb, csum.mode === "generic");
  locateHeaders(skb, l2Length);
  if (csum.mode === "generic") return decideGeneric(skb, profile, queue);
  const found = skbCsumHwoffloadLegacyCheck(skb, caps, NO_HELP);
  if (found.verdict !== "offload") return found.reason;
  const inner = found.encapsulated;
  const unfit = (inner ? tunnelUnfit(skb, profile) : "") || lengthsUnfit(skb, profile, inner, queue);
  return unfit !== "" ? unfit : { mode: CSUM_MODE.typed, l3: found.l3, l4: found.l4, inner };
}

/** By start and offset: no header is looked at, but for what the device has no field for. */
function decideGeneric(skb: SkBuff, profile: Profile, queue: number): Asked | string {
  const { csum } = profile.tx;
  if (skb.isGso) return "gso";
  if (skb.csumNotInet !== 0) return "sctp-crc";
  if (skb.encapsulation !== 0 && csum.encap.length === 0) return "encapsulated";
  if (zeroUnfit(skb, csum)) return "l4";
  const start = skb.checksumStartOffset;
  if (start < 0 || start > csum.startMax) return "l4-offset";
  const unfit = lengthsUnfit(skb, profile, false, queue);
  if (unfit !== "") return unfit;
  return { mode: CSUM_MODE.generic, l3: 0, l4: skb.csumOffset === 6 ? 17 : 6, inner: false };
}

/** Without a look at the packet: what csum_offset hints at. */
function unchecked(skb: SkBuff, generic: boolean): Asked {
  const l4 = skb.csumNotInet !== 0 ? 132 : skb.csumOffset === 16 ? 6 : skb.csumOffset === 6 ? 17 : 0;
  const inner = skb.encapsulation !== 0 && skb.checksumStartOffset === skb.innerTransportOffset;
  return { mode: generic ? CSUM_MODE.generic : CSUM_MODE.typed, l3: 0, l4, inner };
}
