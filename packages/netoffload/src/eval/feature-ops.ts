/** Ops of features, of the paper's mapping, and of hashes. */
import {
  type DroppedFeatures,
  type ExtHdrTest,
  type Features,
  featureNames,
  gsoTypeFeatures,
  netDevice,
  netdevFixFeatures,
  netGsoOk,
  netifNeedsGso,
  netifSkbFeatures,
  skbNeedsLinearize,
} from "@netoffload/skbuff";
import { FieldError, type Fields } from "./fields.ts";
import { featureMapping } from "./mapping.ts";
import { hex, type Op, setHeaders, setSummed, withBytes, withSkb } from "./op.ts";

const FEATURES = "names (SG, NETIF_F_SG, tx-scatter-gather) or the set in hex";
const BE16 = (n: number): number[] => [n >> 8, n & 255];

/** Source and destination address and, when given, ports: what RSS hashes, in packet order. */
function tuple(f: Fields): Uint8Array {
  const [src, dst] = [f.address("src"), f.address("dst")];
  if (src.length !== dst.length) throw new FieldError("input.dst: an address of src's family is needed");
  const ports = f.has("sport") || f.has("dport") ? [...BE16(f.u16("sport")), ...BE16(f.u16("dport"))] : [];
  return Uint8Array.from([...src, ...dst, ...ports]);
}

const optional = (f: Fields, name: string): { [key: string]: Features } =>
  f.has(name) ? { [camel(name)]: f.features(name) } : {};
const camel = (name: string): string => name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());

/** All of them. */
export const FEATURE_OPS: readonly Op[] = [
  {
    name: "net_gso_ok",
    fields: { gso_type: "u32", features: FEATURES },
    result: "{ok}",
    run: (f) => {
      const gsoType = f.u32("gso_type");
      const features = f.features("features");
      return { ok: netGsoOk(features, gsoType), missing: featureNames(gsoTypeFeatures(gsoType) & ~features) };
    },
  },
  {
    name: "netdev_fix_features",
    fields: { features: FEATURES, "turn_off?": FEATURES, "gso_partial_features?": FEATURES },
    result:
      "{dropped}: everything that goes, what was turned off included; features: what is left; rules: which took what",
    run: (f) => {
      const features = f.features("features");
      const off = f.features("turn_off", 0n);
      const rules: DroppedFeatures[] = [];
      const left = netdevFixFeatures(features & ~off, f.features("gso_partial_features", 0n), (d) =>
        rules.push(d),
      );
      return {
        dropped: featureNames(features & ~left),
        features: featureNames(left),
        rules: rules.map((r) => ({ rule: r.rule, why: r.why, dropped: featureNames(r.dropped) })),
      };
    },
  },
  {
    name: "netif_skb_features",
    fields: {
      frame: "hex",
      features: FEATURES,
      "vlan_features?": FEATURES,
      "hw_enc_features?": FEATURES,
      "mpls_features?": FEATURES,
      "gso_partial_features?": FEATURES,
      "mangleid_features?": FEATURES,
      "gso_max_size?": "bytes",
      "gso_ipv4_max_size?": "bytes",
      "gso_max_segs?": "count",
      "skb?": "object: ip_summed, gso_size, gso_type, gso_segs, vlan_proto, vlan_tci, header offsets",
      "ext_hdr?": "late (default), early, stable",
    },
    result: "{features,needs_gso,needs_linearize}",
    run: (f, bench) => {
      const packet = f.object("skb");
      return withSkb(bench, f.hex("frame"), packet, (skb) => {
        setHeaders(skb, packet);
        setSummed(skb, packet, 0);
        skb.vlanProto = packet.u16("vlan_proto", 0);
        skb.vlanTci = packet.u16("vlan_tci", 0);
        const dev = netDevice({
          features: f.features("features"),
          ...optional(f, "vlan_features"),
          ...optional(f, "hw_enc_features"),
          ...optional(f, "mpls_features"),
          ...optional(f, "gso_partial_features"),
          ...optional(f, "mangleid_features"),
          gsoMaxSize: f.u32("gso_max_size", 65536),
          gsoIpv4MaxSize: f.u32("gso_ipv4_max_size", 65536),
          gsoMaxSegs: f.u32("gso_max_segs", 65535),
        });
        const extHdr = f.choice<ExtHdrTest>("ext_hdr", ["late", "early", "stable"], "late");
        const set = netifSkbFeatures(skb, dev, { extHdr });
        return {
          features: featureNames(set),
          needs_gso: netifNeedsGso(skb, set),
          needs_linearize: skbNeedsLinearize(skb, set),
        };
      });
    },
  },
  {
    name: "feature_mapping",
    ours: true,
    fields: {},
    result: "{rows}: which of the old flags became which of the two new ones, and the driver's rule",
    run: () => ({ rows: featureMapping() }),
  },
  {
    name: "toeplitz",
    fields: {
      key: "hex",
      "src?": "address",
      "dst?": "address",
      "sport?": "u16",
      "dport?": "u16",
      "input?": "hex, instead of the tuple",
    },
    result: "{hash}: 8 hex digits",
    run: (f, bench) => {
      const key = f.hex("key");
      const input = f.has("input") ? f.hex("input") : tuple(f);
      if (key.length < input.length + 4)
        throw new FieldError(`input.key: ${key.length} bytes, ${input.length + 4} are needed`);
      const hash = withBytes(bench, key, (k) =>
        withBytes(bench, input, (at) => bench.memory.accel1.toeplitz(k, at, input.length) >>> 0),
      );
      return { hash: hash.toString(16).padStart(8, "0") };
    },
  },
  {
    name: "siphash",
    fields: { key: "hex, 16 bytes", bytes: "hex" },
    result: "{hash}: 16 hex digits, the 64-bit value",
    run: (f, bench) => {
      const key = f.hex("key");
      const bytes = f.hex("bytes");
      if (key.length !== 16) throw new FieldError(`input.key: ${key.length} bytes, 16 are needed`);
      return withBytes(bench, key, (k) =>
        withBytes(bench, bytes, (at) =>
          withBytes(bench, new Uint8Array(8), (out) => {
            bench.memory.accel1.siphash(k, at, bytes.length, out);
            return { hash: hex(bench.memory.bytes.slice(out, out + 8).reverse()) };
          }),
        ),
      );
    },
  },
];
