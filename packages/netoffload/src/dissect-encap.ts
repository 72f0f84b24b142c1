/**
 * The flow dissector's graph with what lies behind UDP: the extension that was proposed for the kernel in 2024 (not
 * merged), told by destination ports where that asks sockets. It is off unless FLOW_DISSECTOR_F_PARSE_UDP_ENCAPS is
 * among the flags; then the outermost UDP header is looked into, directly behind the first IP header only.
 *
 * start -> first_ipv4, first_ipv6 -> udp -> udp_ports -> udp_encap -> one node per encapsulation -> ether, an IP protocol
 */
import {
  type CheckText,
  type CprDocument,
  type EntryText,
  type ExprText,
  type LookupText,
  type MetadataText,
  type ParseNodeText,
  SHIPPED_PARSERS,
} from "@netoffload/cpr-ir";
import type { UdpEncap } from "@netoffload/csum";
import { ETH_P_IP, ETH_P_IPV6 } from "@netoffload/skbuff";
import { AT } from "./dissect.ts";

/** FLOW_DISSECTOR_F_PARSE_UDP_ENCAPS of the proposal. */
export const PARSE_UDP_ENCAPS = 16;

const UDP = 17;
const ETH_P_TEB = 0x6558;
const ETH_P_MPLS = 0x8847;
const ETH_P_NSH = 0x894f;
/** Key registers of the graph: flags, n_proto of the caller, what the next header is. */
const KEY = { flags: 0, proto: 1, next: 3 };
/** Where the destination port is: the second of {@link AT.ports}. */
const DPORT = AT.ports + 2;

/** The shipped graph, extended. @param encaps - by destination port */
export function withUdpEncaps(encaps: ReadonlyMap<number, UdpEncap>): CprDocument {
  const base = structuredClone(SHIPPED_PARSERS["flow-dissector"]);
  const nodes = new Map<string, ParseNodeText>();
  const add = (node: ParseNodeText): string => {
    nodes.set(node.name, node);
    return node.name;
  };
  const ports = [...encaps].map(([key, encap]): EntryText<never> | null => {
    const node = encap === "none" ? null : nodeOf(encap, add);
    return node === null ? null : { key, node };
  });
  for (const node of entry(ports.filter((p) => p !== null))) add(node);
  const tables = new Map(base["proto-tables"]!.map((t) => [t.name, t]));
  tables.get("ether")!.ents.push({ key: ETH_P_TEB, node: add(TEB) });
  // nodes of their own for the first header: the verifier has no counter to follow
  for (const name of ["ipv4", "ipv6"]) {
    const first = structuredClone(base["parse-nodes"].find((n) => n.name === name)!);
    const ents = tables.get(name)!.ents.map((e) => (Number(e.key) === UDP ? { ...e, node: "udp" } : e));
    tables.set(`first_${name}`, { name: `first_${name}`, ents });
    first["next-proto"]!.table = `first_${name}`;
    add({ ...first, name: `first_${name}` });
  }
  const ether = tables
    .get("ether")!
    .ents.map((e) => (/^ipv[46]$/.test(e.node as string) ? { ...e, node: `first_${e.node}` } : e));
  tables.set("first_ether", { name: "first_ether", ents: ether });
  const start = base["parse-nodes"].find((n) => n.name === "start")!;
  start["next-proto"]!.table = "first_ether";
  return {
    ...base,
    "proto-tables": [...tables.values()],
    "parse-nodes": [...base["parse-nodes"], ...nodes.values()],
  };
}

/** The UDP header itself. */
function entry(ports: EntryText<never>[]): ParseNodeText[] {
  const flag: LookupText<never> = {
    "select-key": KEY.flags,
    mask: PARSE_UDP_ENCAPS,
    ents: [{ key: PARSE_UDP_ENCAPS, node: "udp_ports" }],
    "wildcard-node": "ports",
  };
  return [
    overlay("udp", { comment: "PARSE_UDP_ENCAPS", "next-proto": flag }),
    overlay("udp_ports", {
      comment: "Ports are stored even where the header is cut off behind them.",
      "min-hdr-length": 4,
      metadata: {
        ents: [
          {
            "hdr-src-off": 0,
            "md-off": AT.ports,
            length: 4,
            when: { type: "equal", "select-key": 2, value: 0 },
          },
        ],
      },
      "next-node": "udp_encap",
    }),
    {
      name: "udp_encap",
      "min-hdr-length": 8,
      "next-proto": { "field-off": 2, "field-len": 2, ents: ports, default: "stop_okay" },
    },
  ];
}

/** The node of an encapsulation; nodes that it needs are added. @returns its name */
function nodeOf(encap: Exclude<UdpEncap, "none">, add: (node: ParseNodeText) => string): string {
  if (typeof encap === "object") return foreign(encap.fou, add);
  switch (encap) {
    case "vxlan":
      return add({
        name: "vxlan",
        "min-hdr-length": 8,
        "pre-checks": { ents: [VXLAN_I] },
        ...redispatch(fromEnd(), [etherType(ETH_P_TEB)]),
        "next-node": TEB.name,
      });
    case "vxlan-gpe":
      return add(vxlanGpe());
    case "geneve":
      return add({
        name: "geneve",
        "min-hdr-length": 8,
        "hdr-length": { "field-off": 0, "field-len": 1, mask: 0x3f, multiplier: 4, add: 8, clamp: true },
        "pre-checks": { ents: [good("version 0", byte(0, "equal", 0, 0xc0))] },
        ...redispatch(fromEnd(), [{ "hdr-src-off": 2, "md-off": AT.nProto, length: 2 }]),
        "next-proto": { "field-off": 2, "field-len": 2, table: "ether" },
      });
    case "gue":
      return gue(add);
    case "mpls":
      return add(
        overlay("udp_mpls", { ...redispatch(here(), [etherType(ETH_P_MPLS)]), "next-node": "mpls" }),
      );
  }
}

/** Transparent Ethernet bridging, an EtherType like others. */
const TEB: ParseNodeText = {
  name: "teb",
  "min-hdr-length": 14,
  "counter-actions": [{ name: "hdrs", type: "post_metadata_inc" }],
  metadata: { ents: [{ "hdr-src-off": 12, "md-off": AT.nProto, length: 2 }, fromEnd()] },
  "cond-exprs": {
    ents: [
      {
        name: "15 further headers",
        "default-fail": "stop_okay",
        ents: [{ type: "less_or_equal", "select-counter": "hdrs", value: 15 }],
      },
    ],
  },
  "next-proto": { "field-off": 12, "field-len": 2, table: "ether" },
};

const VXLAN_I: CheckText = {
  name: "I",
  "default-fail": "stop_fail",
  ents: [byte(0, "equal", 0x08, 0x08)],
};

function vxlanGpe(): ParseNodeText {
  const types = [ETH_P_IP, ETH_P_IPV6, ETH_P_TEB, ETH_P_NSH, ETH_P_MPLS];
  return {
    name: "vxlan_gpe",
    "min-hdr-length": 8,
    "pre-checks": {
      ents: [
        VXLAN_I,
        good("a next protocol, version 0, no OAM", byte(0, "equal", 0x04, 0x35)),
        good("known", byte(3, "greater_or_equal", 1), byte(3, "less_or_equal", types.length)),
      ],
    },
    ...redispatch(
      fromEnd(),
      types.map((type, i) => ({ ...etherType(type), when: byte(3, "equal", i + 1) })),
    ),
    // no one knows NSH: bad
    "next-proto": {
      "field-off": 3,
      "field-len": 1,
      ents: [
        { key: 1, node: "ipv4" },
        { key: 2, node: "ipv6" },
        { key: 3, node: TEB.name },
        { key: 5, node: "mpls" },
      ],
    },
  };
}

function gue(add: (node: ParseNodeText) => string): string {
  for (const node of again()) add(node);
  add({
    name: "gue_v0",
    "min-hdr-length": 4,
    "hdr-length": { "field-off": 0, "field-len": 1, mask: 0x1f, multiplier: 4, add: 4, clamp: true },
    "pre-checks": { ents: [good("no control message", byte(0, "equal", 0, 0x20))] },
    ...redispatch(fromEnd(), [], { "hdr-src-off": 1 }),
    "next-proto": BY_FAMILY,
  });
  const version = (key: number, node: string): EntryText<never> => ({ key, node });
  add(
    overlay("gue_v1", {
      comment: "No header: an IP header's version tells what follows.",
      "min-hdr-length": 1,
      "next-proto": {
        "field-off": 0,
        "field-len": 1,
        mask: 0xf0,
        ents: [version(0x40, foreign(4, add)), version(0x60, foreign(41, add))],
        default: "stop_okay",
      },
    }),
  );
  return add(
    overlay("gue", {
      "min-hdr-length": 1,
      "next-proto": {
        "field-off": 0,
        "field-len": 1,
        mask: 0xc0,
        ents: [version(0, "gue_v0"), version(0x40, "gue_v1")],
        default: "stop_okay",
      },
    }),
  );
}

/** Foo over UDP: an IP protocol's header follows at once. */
function foreign(protocol: number, add: (node: ParseNodeText) => string): string {
  for (const node of again()) add(node);
  return add(
    overlay(`fou_${protocol}`, { ...redispatch(here(), [], { value: protocol }), "next-proto": BY_FAMILY }),
  );
}

/** The IP stage once more, by the family of the outer header: nothing stood before it. */
const BY_FAMILY: LookupText<never> = {
  "select-key": KEY.proto,
  ents: [
    { key: ETH_P_IP, node: "again_ipv4" },
    { key: ETH_P_IPV6, node: "again_ipv6" },
  ],
  default: "stop_okay",
};

function again(): ParseNodeText[] {
  return ["ipv4", "ipv6"].map((table) =>
    overlay(`again_${table}`, { "next-proto": { "select-key": KEY.next, table, default: "stop_okay" } }),
  );
}

/**
 * What the main loop does before it goes on: offsets behind the encapsulation, no ports until the next header says its
 * own, one header more.
 * @param protocol - where the next IP protocol comes from; absent: it is an EtherType
 */
function redispatch(
  thoff: MetadataText,
  more: readonly MetadataText[],
  protocol: MetadataText = { value: 0 },
): Pick<ParseNodeText, "metadata" | "counter-actions"> {
  const ents: MetadataText[] = [
    thoff,
    ...more,
    { ...protocol, "md-off": AT.ipProto, length: 1 },
    { ...protocol, "to-key": KEY.next, ...("value" in protocol ? {} : { length: 1 }) },
    { value: 0, "md-off": AT.ports, length: 2 },
    { value: 0, "md-off": DPORT, length: 2 },
  ];
  return { metadata: { ents }, "counter-actions": [{ name: "hdrs", type: "post_metadata_inc" }] };
}

function overlay(name: string, node: Omit<ParseNodeText, "name">): ParseNodeText {
  return { name, "min-hdr-length": 0, overlay: true, ...node };
}

/** thoff is this header's begin. */
function here(): MetadataText {
  return { type: "offset", "md-off": AT.thoff, length: 2, endian: "little" };
}

/** thoff is this header's end. */
function fromEnd(): MetadataText {
  return { ...here(), "from-end": true };
}

function etherType(value: number): MetadataText {
  return { value, "md-off": AT.nProto, length: 2 };
}

/** A check that ends the walk, good, as plain UDP. */
function good(name: string, ...ents: ExprText[]): CheckText {
  return { name, "default-fail": "stop_okay", ents };
}

function byte(at: number, type: string, value: number, mask?: number): ExprText {
  return { type, "field-off": at, "field-len": 1, value, ...(mask === undefined ? {} : { mask }) };
}
