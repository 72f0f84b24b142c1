/**
 * The struct that a flow dissector hands over.
 * @see include/uapi/linux/bpf.h struct bpf_flow_keys
 */

/** Bytes of the struct. */
export const FLOW_KEYS_BYTES = 56;

/** Name of a member; `ports` and both `addrs` are several beside each other. */
export type FlowKeysMember =
  | "nhoff"
  | "thoff"
  | "addr_proto"
  | "is_frag"
  | "is_first_frag"
  | "is_encap"
  | "ip_proto"
  | "n_proto"
  | "sport"
  | "dport"
  | "ports"
  | "ipv4_src"
  | "ipv4_dst"
  | "ipv4_addrs"
  | "ipv6_src"
  | "ipv6_dst"
  | "ipv6_addrs"
  | "flags"
  | "flow_label";

/** Where a member lies. */
export interface FlowKeysPlace {
  readonly off: number;
  /** Bytes. */
  readonly len: number;
  /** In the host's byte order, which is taken to be little endian. */
  readonly host: boolean;
}

/** Members by name. */
export const FLOW_KEYS: Readonly<Record<FlowKeysMember, FlowKeysPlace>> = /* @__PURE__ */ (() => {
  const at = (off: number, len: number, host = false): FlowKeysPlace => ({ off, len, host });
  return {
    nhoff: at(0, 2, true),
    thoff: at(2, 2, true),
    addr_proto: at(4, 2, true),
    is_frag: at(6, 1),
    is_first_frag: at(7, 1),
    is_encap: at(8, 1),
    ip_proto: at(9, 1),
    n_proto: at(10, 2),
    sport: at(12, 2),
    dport: at(14, 2),
    ports: at(12, 4),
    ipv4_src: at(16, 4),
    ipv4_dst: at(20, 4),
    ipv4_addrs: at(16, 8),
    ipv6_src: at(16, 16),
    ipv6_dst: at(32, 16),
    ipv6_addrs: at(16, 32),
    flags: at(48, 4, true),
    flow_label: at(52, 4),
  };
})();
