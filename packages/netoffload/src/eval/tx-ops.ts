/** Ops of the transmit side. */
import {
  type LegacyCsumCaps,
  lcoCsum,
  NO_CSUM_CAPS,
  skbChecksumHelp,
  skbChecksumSetup,
  skbCrc32cCsumHelp,
  skbCsumHwoffloadHelp,
  skbCsumHwoffloadLegacyCheck,
  udp6SetCsum,
  udpSetCsum,
} from "@netoffload/csum";
import {
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  type ExtHdrTest,
  NETIF_F,
  type SkBuff,
  virtioNetHdrFromSkb,
  virtioNetHdrToSkb,
} from "@netoffload/skbuff";
import { FieldError, type Fields } from "./fields.ts";
import {
  fieldAt,
  HEADER_FIELDS,
  hex,
  LAYOUT_FIELDS,
  le32,
  type Op,
  setHeaders,
  setSummed,
  sum16be,
  summedName,
  type Workbench,
  withAddresses,
  withSkb,
} from "./op.ts";

const PARTIAL_FIELDS = {
  frame: "hex",
  csum_start: "bytes from the frame's first",
  csum_offset: "bytes from csum_start",
  "ip_summed?": "default PARTIAL",
  "gso_size?": "u16",
  "csum_not_inet?": "bool",
  "shared_frag?": "bool",
  "unreadable?": "bool",
  ...LAYOUT_FIELDS,
} as const;

/** An skb that owes a checksum, all its fields in one object. */
function owing<T>(f: Fields, bench: Workbench, use: (skb: SkBuff) => T, headers: Fields = f): T {
  return withSkb(bench, f.hex("frame"), headers, (skb) => {
    setHeaders(skb, headers);
    setSummed(skb, headers, CHECKSUM_PARTIAL);
    return use(skb);
  });
}

/** What is to be seen of a packet after a helper. */
function after(skb: SkBuff, ret: number, field: number | null): Record<string, unknown> {
  const unreadable = skb.unreadable;
  skb.unreadable = 0;
  const frame = skb.toBytes();
  skb.unreadable = unreadable;
  return {
    ret,
    ip_summed: summedName(skb.ipSummed),
    frame: hex(frame),
    field_be: field === null ? null : fieldAt(frame, field),
  };
}

const fieldOf = (skb: SkBuff): number => skb.checksumStartOffset + skb.csumOffset;

function caps(f: Fields): LegacyCsumCaps {
  const all: Record<string, boolean | number> = { ...NO_CSUM_CAPS };
  const kernel = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
  for (const [name, value] of Object.entries(NO_CSUM_CAPS)) {
    // both spellings: ipv6ExtHdrs, ipv6_ext_hdrs
    const given = f.has(name) ? name : kernel(name);
    all[name] = typeof value === "boolean" ? f.bool(given, value) : f.u32(given, value as number);
  }
  return all as unknown as LegacyCsumCaps;
}

const CAPS_HELP = `object: ${Object.keys(NO_CSUM_CAPS).join(", ")}; absent: cannot`;

/** All of them. */
export const TX_OPS: readonly Op[] = [
  {
    name: "skb_checksum_help",
    fields: PARTIAL_FIELDS,
    result: "{ret,ip_summed,frame,field_be}",
    run: (f, bench) =>
      owing(f, bench, (skb) => {
        const field = fieldOf(skb);
        return after(skb, skbChecksumHelp(skb), field);
      }),
  },
  {
    name: "skb_crc32c_csum_help",
    fields: PARTIAL_FIELDS,
    result: "{ret,ip_summed,frame,crc_le_bytes}",
    run: (f, bench) =>
      owing(f, bench, (skb) => {
        const field = skb.checksumStartOffset + 8;
        const { field_be: _, ...seen } = after(skb, skbCrc32cCsumHelp(skb), null);
        const frame = String(seen.frame);
        return { ...seen, crc_le_bytes: frame.slice(2 * field, 2 * field + 8) };
      }),
  },
  {
    name: "skb_csum_hwoffload_help",
    fields: {
      ...PARTIAL_FIELDS,
      ...HEADER_FIELDS,
      features: "names or hex",
      "ext_hdr?": "late (default), early",
    },
    result: "{ret,ip_summed,frame,field_be}; ip_summed PARTIAL: left to the device",
    run: (f, bench) =>
      owing(f, bench, (skb) => {
        const set = f.features("features");
        const has = (bit: bigint): boolean => (set & bit) !== 0n;
        if (!skb.transportHeaderWasSet) skb.transportHeader = skb.csumStart;
        const field = fieldOf(skb);
        const ret = skbCsumHwoffloadHelp(
          skb,
          {
            hwCsum: has(NETIF_F.HW_CSUM),
            ipCsum: has(NETIF_F.IP_CSUM),
            ipv6Csum: has(NETIF_F.IPV6_CSUM),
            sctpCrc: has(NETIF_F.SCTP_CRC),
          },
          f.choice<ExtHdrTest>("ext_hdr", ["late", "early", "stable"], "late"),
        );
        return after(skb, ret, field);
      }),
  },
  {
    name: "lco_csum",
    fields: {
      frame: "hex",
      csum_start: "offset",
      csum_offset: "from csum_start",
      transport_header: "offset of the outer header",
    },
    result: "{sum16_be}",
    run: (f, bench) =>
      owing(f, bench, (skb) => {
        const start = skb.checksumStartOffset;
        if (!skb.transportHeaderWasSet)
          throw new FieldError("input.transport_header is missing: an offset is needed");
        if (start < 0 || fieldOf(skb) + 2 > skb.headlen || skb.transportHeader > skb.csumStart)
          throw new FieldError(
            `input.csum_start ${start}: transport_header <= csum_start and csum_start + csum_offset + 2 <= ${skb.headlen} are needed`,
          );
        return { sum16_be: sum16be(lcoCsum(skb)) };
      }),
  },
  ...(["udp_set_csum", "udp6_set_csum"] as const).map(
    (name): Op => ({
      name,
      fields: {
        frame: "hex",
        transport_header: "offset of the UDP header",
        saddr: "address",
        daddr: "address",
        len: "u32 bytes of UDP header and payload",
        "nocheck?": "bool",
        "ip_summed?": "default NONE; PARTIAL: an inner checksum is owed (csum_start, csum_offset)",
        "gso_size?": "u16",
      },
      result: "{ip_summed,csum_start,csum_offset,frame,field_be}",
      run: (f, bench) =>
        withSkb(bench, f.hex("frame"), null, (skb) => {
          setHeaders(skb, f);
          setSummed(skb, f, CHECKSUM_NONE);
          const udp = skb.transportHeader - skb.headroom;
          if (!skb.transportHeaderWasSet || udp + 8 > skb.headlen)
            throw new FieldError(`input.transport_header: an offset up to ${skb.headlen - 8} is needed`);
          if (
            skb.ipSummed === CHECKSUM_PARTIAL &&
            (fieldOf(skb) + 2 > skb.headlen || skb.csumStart < skb.transportHeader)
          )
            throw new FieldError(
              `input.csum_start: between transport_header and ${skb.headlen}, the field too`,
            );
          const nocheck = f.bool("nocheck", false);
          const len = f.u32("len");
          if (name === "udp_set_csum")
            udpSetCsum(nocheck, skb, le32(f.address4("saddr")), le32(f.address4("daddr")), len);
          else
            withAddresses(bench, f.address6("saddr"), f.address6("daddr"), (s, d) =>
              udp6SetCsum(nocheck, skb, s, d, len),
            );
          const { ret: _, ...seen } = after(skb, 0, udp + 6);
          const partial = skb.ipSummed === CHECKSUM_PARTIAL;
          return {
            ...seen,
            csum_start: partial ? skb.checksumStartOffset : null,
            csum_offset: partial ? skb.csumOffset : null,
          };
        }),
    }),
  ),
  {
    name: "skb_csum_hwoffload_legacy_check",
    ours: true,
    fields: {
      frame: "hex",
      skb: "object: csum_start, csum_offset, ip_summed?, csum_not_inet?, gso_size?, header offsets as in skb_csum_hwoffload_help",
      caps: CAPS_HELP,
      "help?": "bool, default true",
    },
    result: "{verdict,encapsulated,reason,frame}; verdict none, offload, resolved, fail, drop",
    run: (f, bench) => {
      const headers = f.object("skb");
      return owing(
        f,
        bench,
        (skb) => {
          if (!skb.transportHeaderWasSet) skb.transportHeader = skb.csumStart;
          const found = skbCsumHwoffloadLegacyCheck(skb, caps(f.object("caps")), {
            help: f.bool("help", true),
          });
          const { verdict, encapsulated, reason, errno } = found;
          return {
            verdict,
            encapsulated,
            reason: reason === "" ? null : reason,
            ...(errno === 0 ? {} : { errno }),
            frame: hex(skb.toBytes()),
          };
        },
        headers,
      );
    },
  },
  {
    name: "skb_checksum_setup",
    fields: {
      packet: "hex, from the network header",
      protocol: "EtherType",
      "recalculate?": "bool, default true",
    },
    result: "{ret,csum_start,csum_offset,packet}",
    run: (f, bench) =>
      withSkb(bench, f.hex("packet"), f, (skb) => {
        skb.protocol = f.u16("protocol");
        skb.networkHeader = skb.headroom;
        const ret = skbChecksumSetup(skb, f.bool("recalculate", true));
        const owed = ret === 0;
        return {
          ret,
          csum_start: owed ? skb.checksumStartOffset : null,
          csum_offset: owed ? skb.csumOffset : null,
          packet: hex(skb.toBytes()),
        };
      }),
  },
  {
    name: "virtio_net_hdr_to_skb",
    fields: {
      header: "hex, 10 or 12 bytes, little endian",
      frame: "hex, an Ethernet frame",
      "network_header?": "offset, default 14; 0 unset",
    },
    result: "{errno,from_skb}: errno null or EINVAL; from_skb the header that the skb gives back",
    run: (f, bench) => {
      const header = f.hex("header");
      if (header.length < 10) throw new FieldError(`input.header: ${header.length} bytes, 10 are needed`);
      return withSkb(bench, f.hex("frame"), f, (skb) => {
        skb.macHeader = skb.headroom;
        const network = f.u16("network_header", 14);
        skb.networkHeader = network === 0 ? 0 : skb.headroom + network;
        skb.protocol = skb.headlen >= 14 ? skb.memory.view.getUint16(skb.data + 12, false) : 0;
        const view = new DataView(header.buffer, header.byteOffset, header.length);
        const ret = virtioNetHdrToSkb(skb, view, 0, {});
        if (ret !== 0) return { errno: "EINVAL", from_skb: null };
        const back = new Uint8Array(10);
        const again = virtioNetHdrFromSkb(skb, new DataView(back.buffer), 0, {});
        return { errno: null, from_skb: again === 0 ? hex(back) : null };
      });
    },
  },
];
