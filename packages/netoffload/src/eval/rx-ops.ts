/** Ops of the receive side, and of IPv6 extension headers. */
import {
  __skbChecksumValidate,
  type ComputePseudo,
  type ExthdrWalk,
  inetComputePseudo,
  ip6ComputePseudo,
  ipv6FinalAddresses,
  ipv6SkipExthdr,
  ipv6SkipExthdrNoRthdr,
  nullComputePseudo,
  pskbTrimRcsum,
  skbChecksumTryConvert,
  skbCsumRxLegacyConvertUnnecessary,
  skbPullRcsum,
  skbRemcsumProcess,
  type UdpTunnel,
} from "@netoffload/csum";
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  type SkBuff,
} from "@netoffload/skbuff";
import { FieldError, type Fields } from "./fields.ts";
import {
  hex,
  LAYOUT_FIELDS,
  type Op,
  setSummed,
  sum16be,
  summedName,
  type Workbench,
  withSkb,
} from "./op.ts";

const STATE_FIELDS = {
  "ip_summed?": "default NONE",
  "csum_level?": "0 to 3",
  "csum?": "u32 with COMPLETE; or csum_sum16_be, the folded sum read big endian",
  "csum_complete_sw?": "bool",
} as const;
const L4_FIELDS = {
  l4: "hex, from the transport header to the end",
  "saddr?": "address; absent: no pseudo header",
  "daddr?": "address",
  "proto?": "u8, default 17",
  ...STATE_FIELDS,
  ...LAYOUT_FIELDS,
} as const;

/** What is to be seen of the checksum's state. */
function stateOf(skb: SkBuff): Record<string, unknown> {
  const complete = skb.ipSummed === CHECKSUM_COMPLETE;
  return {
    ip_summed: summedName(skb.ipSummed),
    csum_level: skb.csumLevel,
    csum_valid: skb.csumValid,
    csum_complete_sw: skb.csumCompleteSw,
    csum_sum16_be: complete ? sum16be(skb.csum) : null,
  };
}

/** An skb with data at its transport header, behind an IP header that holds the addresses. */
function atL4<T>(f: Fields, bench: Workbench, use: (skb: SkBuff, pseudo: ComputePseudo) => T): T {
  const l4 = f.hex("l4");
  const saddr = f.has("saddr") ? f.address("saddr") : new Uint8Array(0);
  const daddr = f.has("daddr") ? f.address("daddr") : new Uint8Array(0);
  if (saddr.length !== daddr.length)
    throw new FieldError("input.daddr: an address of saddr's family is needed");
  const hlen = saddr.length === 16 ? 40 : 20;
  const packet = new Uint8Array(hlen + l4.length);
  packet.set(saddr, hlen === 40 ? 8 : 12);
  packet.set(daddr, hlen === 40 ? 24 : 16);
  packet.set(l4, hlen);
  return withSkb(bench, packet, f, (skb) => {
    if (skb.headlen < hlen) skb.pskbMayPull(hlen);
    skb.networkHeader = skb.headroom;
    skb.skbPull(hlen);
    skb.transportHeader = skb.headroom;
    setSummed(skb, f, CHECKSUM_NONE);
    return use(
      skb,
      saddr.length === 0 ? nullComputePseudo : saddr.length === 4 ? inetComputePseudo : ip6ComputePseudo,
    );
  });
}

/** csum_start is a start: anything given counts from l4's first byte. */
const VALIDATE_KINDS = {
  init: [false, false],
  init_zero_check: [false, true],
  validate: [true, false],
  validate_zero_check: [true, true],
} as const;

function tunnels(f: Fields): Map<number, UdpTunnel> {
  const map = new Map<number, UdpTunnel>();
  for (const [port, kind] of f.entries("udp_tunnels")) {
    const fou = typeof kind === "object" && kind !== null ? (kind as { fou?: unknown }).fou : undefined;
    if (kind === "vxlan" || kind === "geneve" || kind === "gue") map.set(Number(port), kind);
    else if (typeof fou === "number") map.set(Number(port), { fou });
    else throw new FieldError(`input.udp_tunnels.${port}: vxlan, geneve, gue or {"fou":PROTOCOL} is needed`);
  }
  return map;
}

/** All of them. */
export const RX_OPS: readonly Op[] = [
  {
    name: "skb_checksum_validate",
    fields: {
      ...L4_FIELDS,
      "kind?": "init, init_zero_check, validate (default), validate_zero_check",
      "check?": "the field; default that of UDP or TCP in l4",
    },
    result:
      "{ret,ip_summed,csum_level,csum_valid,csum_complete_sw,csum_sum16_be}: ret 0 right or left for later",
    run: (f, bench) =>
      atL4(f, bench, (skb, pseudo) => {
        const [complete, zeroOkay] =
          VALIDATE_KINDS[f.choice("kind", Object.keys(VALIDATE_KINDS) as "init"[], "validate" as "init")];
        const proto = f.u8("proto", 17);
        const field = proto === 6 ? 16 : 6;
        const l4 = skb.toBytes();
        const check = f.u16("check", field + 2 <= l4.length ? (l4[field]! << 8) | l4[field + 1]! : 1);
        const ret = __skbChecksumValidate(skb, proto, complete, zeroOkay, check, pseudo);
        return { ret, ...stateOf(skb) };
      }),
  },
  {
    name: "skb_checksum_try_convert",
    fields: { ...L4_FIELDS, "csum_valid?": "bool: a checksum was verified" },
    result: "{ip_summed,csum_level,csum_valid,csum_complete_sw,csum_sum16_be}",
    run: (f, bench) =>
      atL4(f, bench, (skb, pseudo) => {
        skbChecksumTryConvert(skb, f.u8("proto", 17), pseudo);
        return stateOf(skb);
      }),
  },
  {
    name: "skb_csum_rx_legacy_convert_unnecessary",
    ours: true,
    fields: {
      skb_from_l3: "hex, from the network header",
      "ip_summed?": "default UNNECESSARY",
      "csum_level?": "0 to 3",
      "protocol?": "EtherType; default by the version nibble",
      "udp_tunnels?": 'object: {"4789":"vxlan","6081":"geneve","6080":"gue","5555":{"fou":4}}',
      ...LAYOUT_FIELDS,
    },
    result: "{ip_summed,csum_sum16_be,reason}",
    run: (f, bench) =>
      withSkb(bench, f.hex("skb_from_l3"), f, (skb) => {
        const version = skb.len > 0 ? (skb.toBytes()[0] ?? 0) >> 4 : 0;
        skb.protocol = f.u16("protocol", version === 6 ? 0x86dd : 0x0800);
        skb.networkHeader = skb.headroom;
        setSummed(skb, f, CHECKSUM_UNNECESSARY);
        const reason = skbCsumRxLegacyConvertUnnecessary(skb, tunnels(f));
        const { ip_summed, csum_sum16_be } = stateOf(skb);
        return { ip_summed, csum_sum16_be, reason };
      }),
  },
  {
    name: "skb_remcsum_process",
    fields: {
      packet: "hex, from data on",
      ptr: "offset of the first byte behind the tunnel header",
      start: "from ptr",
      offset: "of the field, from ptr",
      "nopartial?": "bool",
      ...STATE_FIELDS,
    },
    result: "{ip_summed,csum_start,csum_offset,csum_sum16_be,packet,field_be}",
    run: (f, bench) =>
      withSkb(bench, f.hex("packet"), null, (skb) => {
        setSummed(skb, f, CHECKSUM_NONE);
        const [ptr, start, offset] = [f.u16("ptr"), f.u16("start"), f.u16("offset")];
        if (ptr + Math.max(start, offset + 2) > skb.len)
          throw new FieldError(
            `input.offset: ptr + max(start, offset + 2) is ${ptr + Math.max(start, offset + 2)}, the packet has ${skb.len} bytes`,
          );
        skbRemcsumProcess(skb, skb.data + ptr, start, offset, f.bool("nopartial", false));
        const partial = skb.ipSummed === CHECKSUM_PARTIAL;
        const packet = skb.toBytes();
        return {
          ip_summed: summedName(skb.ipSummed),
          csum_start: partial ? skb.checksumStartOffset : null,
          csum_offset: partial ? skb.csumOffset : null,
          csum_sum16_be: partial ? null : sum16be(skb.csum),
          packet: hex(packet),
          field_be: (packet[ptr + offset]! << 8) | packet[ptr + offset + 1]!,
        };
      }),
  },
  {
    name: "skb_pull_rcsum",
    fields: { packet: "hex", len: "bytes to pull", ...STATE_FIELDS, ...LAYOUT_FIELDS },
    result: "{ip_summed,csum_level,csum_valid,csum_complete_sw,csum_sum16_be,packet}",
    run: (f, bench) =>
      withSkb(bench, f.hex("packet"), f, (skb) => {
        setSummed(skb, f, CHECKSUM_NONE);
        skbPullRcsum(skb, f.int("len", 0, skb.headlen));
        return { ...stateOf(skb), packet: hex(skb.toBytes()) };
      }),
  },
  {
    name: "pskb_trim_rcsum",
    fields: {
      packet: "hex",
      len: "bytes to keep",
      "csum_start?": "offset",
      "csum_offset?": "from csum_start",
      ...STATE_FIELDS,
      ...LAYOUT_FIELDS,
    },
    result: "{ret,ip_summed,csum_level,csum_valid,csum_complete_sw,csum_sum16_be,packet}",
    run: (f, bench) =>
      withSkb(bench, f.hex("packet"), f, (skb) => {
        setSummed(skb, f, CHECKSUM_NONE);
        const ret = pskbTrimRcsum(skb, f.u32("len"));
        return { ret, ...stateOf(skb), packet: hex(skb.toBytes()) };
      }),
  },
  {
    name: "ipv6_skip_exthdr",
    fields: {
      start: "offset in bytes",
      nexthdr: "u8",
      bytes: "hex",
      "no_rthdr?": "bool: a routing header gives -1",
    },
    result: "{ret,nexthdr,frag_off}",
    run: (f, bench) =>
      withSkb(bench, f.hex("bytes"), f, (skb) => {
        const walk: ExthdrWalk = { nexthdr: f.u8("nexthdr"), fragOff: 0 };
        const skip = f.bool("no_rthdr", false) ? ipv6SkipExthdrNoRthdr : ipv6SkipExthdr;
        const ret = skip(skb, f.int("start", 0, 1 << 20, 0), walk);
        return { ret, nexthdr: walk.nexthdr, frag_off: walk.fragOff };
      }),
  },
  {
    name: "ipv6_final_addresses",
    ours: true,
    fields: { packet: "hex, from the IPv6 header", "compressed_sids?": "bool; default: in 5f00::/16" },
    result: "{saddr,daddr,proto,offset} or {reason}",
    run: (f, bench) =>
      withSkb(bench, f.hex("packet"), f, (skb) => {
        const found = ipv6FinalAddresses(
          skb,
          0,
          f.has("compressed_sids") ? f.bool("compressed_sids", false) : undefined,
        );
        return found.ok
          ? { saddr: hex(found.saddr), daddr: hex(found.daddr), proto: found.proto, offset: found.offset }
          : { reason: found.reason };
      }),
  },
];
