// Changes of this package's rules, one at a time; each must be noticed by the tests named.

/** One changed rule. */
export interface Mutant {
  /** Below src/. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Test file below test/ that notices it. */
  readonly test: string;
}

const m = (test: string, file: string, from: string, to: string): Mutant => ({ test, file, from, to });
const sum = (from: string, to: string): Mutant => m("skb/sum", "skb/sum.ts", from, to);
const geometry = (from: string, to: string): Mutant => m("skb/geometry", "skb/geometry.ts", from, to);
const rx = (from: string, to: string): Mutant => m("skb/rx", "skb/rx.ts", from, to);
const tx = (from: string, to: string): Mutant => m("skb/tx", "skb/tx.ts", from, to);
const walk = (from: string, to: string): Mutant => m("skb/ipv6", "skb/ipv6-exthdr.ts", from, to);
const final = (from: string, to: string): Mutant => m("skb/ipv6", "skb/final-addresses.ts", from, to);
const legacy = (from: string, to: string): Mutant => m("skb/legacy", "skb/legacy-check.ts", from, to);
const convert = (from: string, to: string): Mutant => m("skb/legacy", "skb/legacy-convert.ts", from, to);
const nat = (from: string, to: string): Mutant => m("skb/proto-replace", "skb/proto-replace.ts", from, to);

/** All of them. */
export const MUTANTS: readonly Mutant[] = [
  // block offsets
  m("skb/sum", "arith.ts", "offset & 1 ?", "offset & 2 ?"),
  m("skb/sum", "arith.ts", "(sum < b >>> 0 ? 1 : 0)", "0"),
  sum("0), first - from)", "0), first)"),
  sum("at += len;", ""),
  sum("if (view.getUint32(address + O.flags, true) & UNREADABLE) return Number.NaN;", ""),
  geometry("len - n, 0), n)", "len - n, 0), 0)"),
  geometry("covered, 0), covered)", "covered, 0), 0)"),
  // signed and unsigned compares
  geometry("end < 0 || end >", "end >"),
  geometry("skb.csumOffset + 2;", "skb.csumOffset;"),
  geometry("skb.checksumStartOffset < 0) skb.ipSummed", "skb.checksumStartOffset <= 0) skb.ipSummed"),
  geometry("if (n > skb.headlen) return -EFAULT", "if (n >= skb.len) return -EFAULT"),
  rx("skb.checksumStartOffset >= 0)", "skb.checksumStartOffset > 0)"),
  // levels
  rx(
    "if (skb.csumLevel === 0) skb.ipSummed = CHECKSUM_NONE;",
    "if (skb.csumLevel === 1) skb.ipSummed = CHECKSUM_NONE;",
  ),
  rx("if (skb.csumLevel < SKB_MAX_CSUM_LEVEL)", "if (skb.csumLevel <= SKB_MAX_CSUM_LEVEL - 2)"),
  rx("  skb.csumValid = 1;\n  __skbDecrChecksumUnnecessary(skb);", "  skb.csumValid = 1;"),
  rx("skb.csumValid = 0;\n  if (!validateNeeded", "if (!validateNeeded"),
  rx("skb.ipSummed !== CHECKSUM_NONE || skb.csumValid === 0", "skb.csumValid === 0"),
  rx("skb.ipSummed !== CHECKSUM_NONE || skb.csumValid === 0", "skb.ipSummed !== CHECKSUM_NONE"),
  rx("CHECKSUM_BREAK = 76", "CHECKSUM_BREAK = 75"),
  rx("skb.csumCompleteSw = 1;", ""),
  rx("skb.csumCompleteSw === 0) failure", "skb.csumCompleteSw === 1) failure"),
  // zero sums
  rx("!(zeroOkay && check === 0)", "check !== 0"),
  tx("|| CSUM_MANGLED_0", ""),
  tx("csumFold(lcoCsum(skb)), true", "csumFold(lcoCsum(skb)) || 0xffff, true"),
  m("update", "update.ts", "~csumUnfold(check) >>> 0));", "~csumUnfold(check) & 0xffff));"),
  // pseudo headers
  m("pseudo", "pseudo.ts", "((len >>> 0) + proto)", "((len & 0xffff) + proto)"),
  m("pseudo", "pseudo.ts", "swap32(len) + swap32(proto)", "swap32(len)"),
  rx("skb.len, proto, 0)) >>> 0)", "skb.len, proto, 0)) & 0xffff)"),
  tx("const partial = ~csumUnfold", "const partial = csumUnfold"),
  nat(
    "skb.ipSummed === CHECKSUM_COMPLETE && pseudohdr && whole",
    "skb.ipSummed === CHECKSUM_COMPLETE && whole",
  ),
  nat("} else if (pseudohdr) {", "} else {"),
  nat("pseudohdr, !ipv6)", "pseudohdr, true)"),
  nat("csumFrom32to16(csumAdd", "~csumFrom32to16(csumAdd"),
  nat("csumSub(to & 0xffff, from & 0xffff)", "csumSub(from & 0xffff, to & 0xffff)"),
  nat("off < 16; off += 4", "off < 12; off += 4"),
  // routing and other extension headers
  walk(
    "noRthdr && next === NEXTHDR_ROUTING",
    "noRthdr && next === NEXTHDR_ROUTING && skbByte(skb, start + 3) > 0",
  ),
  walk("(fragOff & 0xfff8) !== 0", "fragOff !== 0"),
  walk("(length + 2) * 4", "(length + 1) * 8"),
  walk("if (next === NEXTHDR_NONE) return -1;", ""),
  walk("type === 0xc9 && size === 16", "type === 0xc9"),
  final("left > lastEntry + 1", "left > lastEntry"),
  final("left !== 1", "left === 0"),
  final("if (++routes > 1)", "if (++routes > 2)"),
  final("16 * (n - 1)", "0"),
  legacy("outer !== null", "false"),
  legacy("(walk.fragOff & 0xfff9)", "(walk.fragOff & 0xfff8)"),
  legacy("end !== at + 40 && !caps.ipv6ExtHdrs", "false"),
  legacy("++count > caps.maxExtHdrs", "count++ > caps.maxExtHdrs"),
  legacy("size > caps.maxExtHdrLen", "size >= caps.maxExtHdrLen"),
  legacy("skb.innerProtocol === ETH_P_TEB", "skb.innerProtocol === 0"),
  legacy("++tags > caps.maxVlan", "++tags > caps.maxVlan + 1"),
  legacy("if (skb.isGso) return dropped", "if (false) return dropped"),
  convert("if (--w.levels === 0)", "if (--w.levels < 0)"),
  convert('skbByte(skb, o + 3) > 0) return "rthdr"', 'skbByte(skb, o + 3) > 9) return "rthdr"'),
  convert("csumTcpudpNofold(0, 0, w.end - w.at", "csumTcpudpNofold(0, 0, w.end - w.l3"),
  convert("skb.len - w.end, 0), w.end)", "skb.len - w.end, 0), 0)"),
  convert('!== w.end - at) return "udp-length"', '> w.end - at) return "udp-length"'),
];
