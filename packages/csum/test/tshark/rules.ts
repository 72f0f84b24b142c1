// Where we and tshark may differ, and why we are right: at most 10 rules.
import type { Difference, Verdict } from "./compare.ts";

/** What shows that our verdict is the right one, from outside this project. */
export type Proof =
  | { readonly kind: "rfc"; readonly where: string; readonly sentence: string }
  | { readonly kind: "live kernel"; readonly version: string; readonly reception: string };

/** A kind of difference that is no fault. */
export interface Rule {
  readonly name: string;
  /** The protocol whose header the condition is about. */
  readonly protocol: string;
  /** The condition, in words. */
  readonly condition: string;
  /** Our verdict and tshark's, each allowed combination. */
  readonly verdicts: readonly (readonly [ours: Verdict, theirs: Verdict])[];
  readonly proof: Proof;
  /** The condition on header fields; the verdicts are looked at elsewhere. */
  readonly holds: (difference: Difference) => boolean;
}

const be16 = (bytes: Uint8Array, at: number): number => bytes[at]! * 256 + bytes[at + 1]!;

/** 5f00::/16 is for segment identifiers alone (RFC 9602), and those may be compressed (RFC 9800). */
const isSid = (frame: Uint8Array, address: number): boolean => be16(frame, address) === 0x5f00;

/** Routing headers with segments left, from an Ethernet frame's IPv6 header to the field. */
function routesUnderWay(frame: Uint8Array, field: number): { unknown: boolean; count: number } {
  const found = { unknown: false, count: 0 };
  if (be16(frame, 12) !== 0x86dd) return found;
  let next = frame[20]!;
  let at = 54;
  while (at + 8 <= field && (next === 0 || next === 43 || next === 60)) {
    if (next === 43 && frame[at + 3]! > 0) {
      found.count++;
      const type = frame[at + 2]!;
      if (![0, 2, 3, 4].includes(type)) found.unknown = true;
      if (type === 4 && (isSid(frame, 38) || isSid(frame, at + 8))) found.unknown = true;
    }
    next = frame[at]!;
    at += (frame[at + 1]! + 1) * 8;
  }
  return found;
}

/** Whether the field lies in a packet quoted by an ICMP error, and that packet's IP length is more than the quote. */
function quoteIsCut({ frame, field }: Difference): boolean {
  const error = frame.layers.findLast(
    ({ layer, field: other, quoted }) => (layer === "icmp" || layer === "icmpv6") && other < field && !quoted,
  );
  if (!error) return false;
  const ip = error.offset + 8;
  const length = frame.data[ip]! >> 4 === 6 ? 40 + be16(frame.data, ip + 4) : be16(frame.data, ip + 2);
  return ip + length > error.end;
}

/** The table. */
export const RULES: readonly Rule[] = [
  {
    name: "udp-length-0",
    protocol: "udp",
    condition: "IPv4 with total length 0 and more than 65,535 bytes, UDP length 0: the layer and those in it",
    verdicts: [
      ["good", "not verifiable"],
      ["bad", "not verifiable"],
    ],
    proof: {
      kind: "rfc",
      where: "RFC 2147 section 2, now RFC 2675 section 4; in IPv4 the super-packet of a sending machine",
      sentence:
        "When sending a UDP packet, if and only if the length of the UDP header plus data is greater than 65,535, " +
        "set the length field in the UDP header to zero.",
    },
    holds: ({ frame: { data, layers }, field }) =>
      layers.some(
        ({ layer, offset, field: outer, reassembled }, i) =>
          layer === "udp" &&
          outer <= field &&
          !reassembled &&
          layers[i - 1]?.layer === "ipv4" &&
          be16(data, layers[i - 1]!.offset + 2) === 0 &&
          be16(data, offset + 4) === 0 &&
          data.length - offset > 0xffff,
      ),
  },
  {
    name: "udp-ipv6-zero",
    protocol: "udp",
    condition: "IPv6, UDP checksum 0: tshark calls it illegal, we absent",
    verdicts: [["not verifiable", "bad"]],
    proof: {
      kind: "rfc",
      where: "RFC 6935 section 5",
      sentence:
        "As an alternative, certain protocols that use UDP as a tunnel encapsulation MAY enable zero-checksum mode " +
        "for a specific port (or set of ports) for sending and/or receiving.",
    },
    holds: ({ frame: { data, layers }, field }) =>
      layers.some(({ layer, field: own }) => layer === "udp" && own === field) && be16(data, field) === 0,
  },
  {
    name: "icmp-quote-cut",
    protocol: "icmp, icmpv6",
    condition:
      "a packet quoted by an ICMP error, whose IP length is more than the quote: its transport layer",
    verdicts: [["not verifiable", "bad"]],
    proof: {
      kind: "rfc",
      where:
        "RFC 792, Destination Unreachable Message, on what is quoted: bytes under its checksum are missing",
      sentence: "The internet header plus the first 64 bits of the original datagram's data.",
    },
    holds: quoteIsCut,
  },
  {
    name: "ipv6-destination-unknown",
    protocol: "ipv6 routing header",
    condition:
      "segments left in a routing header of no known type, of segment identifiers that may be compressed (5f00::/16), " +
      "or in more than one: the transport layer",
    verdicts: [
      ["not verifiable", "bad"],
      ["not verifiable", "good"],
    ],
    proof: {
      kind: "rfc",
      where: "RFC 8200 section 8.1",
      sentence:
        "If the IPv6 packet contains a Routing header, the Destination Address used in the pseudo-header is that of " +
        "the final destination.",
    },
    holds: ({ frame, field }) => {
      const { unknown, count } = routesUnderWay(frame.data, field);
      return unknown || count > 1;
    },
  },
];
