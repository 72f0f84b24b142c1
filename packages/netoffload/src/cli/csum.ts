/** `netoffload csum check|fix`: every checksum of a capture judged, or filled in. */

import type { Command } from "./command.ts";
import { csumCheck } from "./csum-check.ts";
import { csumFix } from "./csum-fix.ts";
import { UDP_ENCAP_OPTION } from "./udp-encap.ts";

/** The commands. */
export const csumCommands: readonly Command[] = [
  {
    name: "csum check",
    summary: "name every checksum of every layer: ok, bad, partial, absent, unverifiable",
    usage: "FILE...",
    options: {
      verbose: {
        type: "boolean",
        short: "v",
        help: "a line for every packet, not only for those with a finding",
      },
      "no-reassembly": { type: "boolean", help: "leave fragments unverifiable" },
      "udp-encap": UDP_ENCAP_OPTION,
    },
    details: `
Reads captures (pcap, pcapng, gzip, zstd, by content; '-': standard input) or JSON lines {"id","frame"[,"link_type"]}
and judges IPv4, TCP, UDP, UDP-Lite, ICMP, ICMPv6, IGMP, GRE, SCTP and DCCP checksums, inside tunnels and behind
extension headers too; fragments are put together. 'partial': only the pseudo header's sum, left to a device.

With --json a line per packet, {"packet","layers":[{"layer","verdict",...}]}, offsets in bytes from the frame's first.

Exit codes: 0 none is bad, 1 some are, 2 bad usage or a damaged capture (all whole packets are judged).`,
    run: csumCheck,
  },
  {
    name: "csum fix",
    summary: "fill in partial checksums, with --all bad ones too",
    usage: "FILE -o OUT [--all]",
    ownsOutput: true,
    options: {
      all: { type: "boolean", help: "replace bad checksums too" },
      "udp-encap": UDP_ENCAP_OPTION,
    },
    details: `
OUT has FILE's format unless its name ends in .pcap or .pcapng. Fragments, quoted packets and what cannot be verified
stay as they are.`,
    run: csumFix,
  },
];
