/** Results that the big parser's own engine gives for these captures; expected values: cpr.md section 5. */
import { codeName, Interpreter, shippedParser } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { captureNames, haveCaptures, packetsOf } from "../helpers/captures.ts";

/** Capture → counts by "code last-node encaps". */
const EXPECTED: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "6to4": { "STOP_OKAY tcp 1": 5 },
  QinQ: { "STOP_OKAY arp 0": 2 },
  "can-2003-0003": { "STOP_OKAY tcp 0": 27 },
  "gre-pptp": { "STOP_OKAY ports 2": 2 },
  "gre-sample": { "STOP_OKAY tcp 1": 22, "STOP_OKAY icmpv4 1": 10, "STOP_OKAY ports 1": 8 },
  "gre-within-gre": { "STOP_OKAY icmpv4 2": 624, "STOP_OKAY ports 2": 4 },
  icmp_ipv4: { "STOP_OKAY icmpv4 0": 6 },
  icmp_ipv6: { "STOP_OKAY icmpv6 0": 6 },
  ipip: { "STOP_OKAY icmpv4 1": 10 },
  ipv4frags: { "STOP_OKAY icmpv4 0": 2, "STOP_OKAY ipv4 0": 1 },
  "ipv6-udp-fragmented": { "STOP_OKAY ports 0": 3, "STOP_OKAY ipv6_frag 0": 3 },
  l2tp: { "STOP_UNKNOWN_PROTO ipv4 0": 31, "STOP_UNKNOWN_PROTO ether 0": 7 },
  l7_l2tp: { "STOP_OKAY ports 0": 4 },
  vxlan: { "STOP_OKAY ports 0": 10 },
  protobuf_in_udp: { "STOP_OKAY ports 0": 2 },
  "plain-ipv6-64": { "STOP_OKAY ports 0": 1 },
  "srv6-t_encaps_l2-64": { "STOP_OKAY ports 0": 1 },
  "srv6-t_encaps_v6-64": { "STOP_OKAY ports 0": 1 },
  "srv6-t_insert_v6-64": { "STOP_OKAY ports 0": 1 },
  "zlip-1": { "STOP_OKAY ports 0": 1 },
  "zlip-2": { "STOP_OKAY ports 0": 1 },
  "zlip-3": { "STOP_OKAY ports 0": 1 },
  "srv6-end-64": { "STOP_OKAY ports 1": 1 },
  "srv6-end_dt6-64": { "STOP_OKAY ports 1": 1 },
  "srv6-end_dx6-64": { "STOP_OKAY ports 1": 1 },
  "srv6-end_t-64": { "STOP_OKAY ports 1": 1 },
  "srv6-end_x-64": { "STOP_OKAY ports 1": 1 },
  "srv6-end_dx2-64": { "STOP_UNKNOWN_PROTO ipv6_eh 0": 1 },
  tcp_ipv4: { "STOP_OKAY tcp 0": 11 },
  tcp_ipv6: { "STOP_OKAY tcp 0": 12 },
  tcp_sack: { "STOP_OKAY tcp 0": 39 },
  vlan_icmp: { "STOP_OKAY icmpv4 0": 1 },
  malformed_wire_length_tcp: { "STOP_OKAY tcp 0": 10 },
  malformed_header_length_tcp: { "STOP_OKAY tcp 0": 2, "STOP_LENGTH tcp 0": 2, "STOP_TLV_LENGTH tcp 0": 1 },
  "malformed_header-wire_length_tcp": {
    "STOP_OKAY tcp 0": 5,
    "STOP_LENGTH tcp 0": 2,
    "STOP_LENGTH ipv4_check 0": 1,
    "STOP_TLV_LENGTH tcp 0": 2,
  },
};

describe.runIf(haveCaptures)("the big parser on XDP2's captures", () => {
  const parser = shippedParser("big");
  const interpreter = new Interpreter(parser);

  test.each(Object.entries(EXPECTED))("%s", (name, expected) => {
    const counts: Record<string, number> = {};
    for (const packet of packetsOf(`xdp2/${name}.pcap`)) {
      interpreter.clear();
      interpreter.run(packet);
      const key = `${codeName(interpreter.code)} ${parser.nodes[interpreter.lastNode]!.name} ${interpreter.encaps}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    expect(counts).toEqual(expected);
  });

  test("two VLAN tags of the ARP packets lie in their slots", () => {
    for (const packet of packetsOf("xdp2/QinQ.pcap")) {
      interpreter.clear();
      interpreter.run(packet);
      const view = new DataView(interpreter.metadata.buffer, interpreter.metadata.byteOffset);
      const tci = new DataView(packet.buffer, packet.byteOffset);
      expect((view.getUint8(1) >> 2) & 3).toBe(2);
      for (const [slot, at] of [
        [0, 14],
        [1, 18],
      ] as const) {
        expect(view.getUint16(144 + 4 * slot, true) & 0xfff).toBe(tci.getUint16(at) & 0xfff);
        expect(view.getUint16(146 + 4 * slot, true)).toBe(tci.getUint16(at - 2));
      }
    }
  });

  test("every capture is parsed to its end by every shipped parser", () => {
    for (const p of [
      parser,
      shippedParser("five-tuple"),
      shippedParser("ports"),
      shippedParser("flow-dissector"),
    ]) {
      const run = new Interpreter(p);
      for (const name of captureNames())
        for (const packet of packetsOf(name)) {
          run.clear();
          run.run(packet);
          expect(codeName(run.code)).toMatch(/^STOP_/);
        }
    }
  });
});
