/**
 * Faults of the kind that real checksum code has had, put into the programs' sources one at a time. A differential
 * run that misses one of them proves nothing.
 */

/** One changed program: the text `find` of one source becomes `replace`. */
export interface SourceMutant {
  readonly name: string;
  readonly program: "tx_csum" | "rx_csum";
  /** Below the packages folder. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const TX = "csum/program/tx_csum.ts";
const RX = "csum/program/rx_csum.ts";
const SUM = "csum/program/skb-checksum.ts";
const ARITH = "csum/program/arith.ts";
const LINEAR_SUM = "csum_partial(skb.data + start, headlen - start, 0)";
const tx = (name: string, find: string, replace: string, file = TX): SourceMutant => ({
  name,
  program: "tx_csum",
  file,
  find,
  replace,
});
const rx = (name: string, find: string, replace: string, file = RX): SourceMutant => ({
  name,
  program: "rx_csum",
  file,
  find,
  replace,
});

/** All of them. */
export const CSUM_MUTANTS: readonly SourceMutant[] = [
  // folding and carries
  tx("end carry dropped", "(sum & 0xffff) + (sum >> 16)", "sum & 0xffff", ARITH),
  tx("not folded", "(sum & 0xffff) + (sum >> 16)", "sum", ARITH),
  tx("complement forgotten", "~sum & 0xffff", "sum & 0xffff"),
  tx("zero not mangled", "check ? check : 0xffff", "check"),
  tx("always mangled", "check ? check : 0xffff", "check | 1"),
  tx(
    "bytes of the result swapped",
    "<u16>(check ? check : 0xffff)",
    "bswap<u16>(<u16>(check ? check : 0xffff))",
  ),
  tx("one too much", LINEAR_SUM, "csum_partial(skb.data + start, headlen - start, 1)"),
  // which bytes
  tx(
    "odd last byte in the upper half",
    LINEAR_SUM,
    "csum_partial(skb.data + start, (headlen - start) & ~1, (headlen - start) & 1 ? <u32>load<u8>(skb.data + headlen - 1) << 8 : 0)",
  ),
  tx("odd last byte left out", LINEAR_SUM, "csum_partial(skb.data + start, (headlen - start) & ~1, 0)"),
  tx(
    "odd start rounded down",
    LINEAR_SUM,
    "csum_partial(skb.data + (start & ~1), headlen - (start & ~1), 0)",
  ),
  tx("sum from the packet's start", LINEAR_SUM, "csum_partial(skb.data, headlen, 0)"),
  tx("sum begins a word late", LINEAR_SUM, "csum_partial(skb.data + start + 2, headlen - start - 2, 0)"),
  tx(
    "field not in the sum",
    LINEAR_SUM,
    `(store<u16>(skb.data + start + <u32>skb.csumOffset, 0), ${LINEAR_SUM})`,
  ),
  // the field and its limits
  tx("field one byte late", "start + <u32>skb.csumOffset", "start + <u32>skb.csumOffset + 1"),
  tx("field one byte early", "start + <u32>skb.csumOffset", "start + <u32>skb.csumOffset - 1"),
  tx("csum_offset signed", "start + <u32>skb.csumOffset", "start + <u32>(<i32>(<i16>skb.csumOffset))"),
  tx("field may reach a byte beyond", "field + 2 > headlen", "field + 1 > headlen"),
  tx("field may not be last", "field + 2 > headlen", "field + 2 >= headlen"),
  tx("start not tested", "if (start >= headlen) return -EINVAL;", ""),
  tx(
    "start compared signed",
    "if (start >= headlen) return -EINVAL;",
    "if (<i32>start >= <i32>headlen) return -EINVAL;",
  ),
  tx(
    "a start before data is the data's own",
    "= <u32>skbChecksumStartOffset(skb);\n  const headlen",
    "= <u32>max(0, skbChecksumStartOffset(skb));\n  const headlen",
  ),
  tx("limit is the linear room", "field + 2 > headlen", "field + 2 > skb.end - skb.data"),
  // what else it must do
  tx("stays CHECKSUM_PARTIAL", "skb.ipSummed = CHECKSUM_NONE;\n  return 0;\n}\n", "return 0;\n}\n"),
  tx("writes into a clone's bytes", "if (skb.cloned) {", "if (false) {"),
  // pieces
  tx("fragments not summed", "skbIsNonlinear(skb)\n    ? sumNonlinear", "false\n    ? sumNonlinear"),
  tx("odd pieces not rotated", "pos & 1 ? rotate16(part) : part", "part", SUM),
  tx("even pieces rotated", "pos & 1 ? rotate16(part) : part", "pos & 1 ? part : rotate16(part)", SUM),
  tx("last fragment left out", "i < <u32>shinfo.nrFrags", "i + 1 < <u32>shinfo.nrFrags", SUM),
  tx("frag_list left out", "if (!list) return sum;", "return sum;", SUM),
  // receive
  rx("end carry dropped", "(sum & 0xffff) + (sum >> 16)", "sum & 0xffff", ARITH),
  rx(
    "first word left out",
    "csum_partial(skb.data, skb.len, 0)",
    "csum_partial(skb.data + 2, skb.len - 2, 0)",
  ),
  rx("last byte left out", "csum_partial(skb.data, skb.len, 0)", "csum_partial(skb.data, skb.len - 1, 0)"),
  rx("linear part alone", "nonlinear ? sumNonlinear(skb, 0)", "false ? sumNonlinear(skb, 0)"),
  rx(
    "bytes of the sum swapped",
    "csum_partial(skb.data, skb.len, 0)",
    "bswap<u16>(<u16>csum_partial(skb.data, skb.len, 0))",
  ),
  rx("complemented", "csum_partial(skb.data, skb.len, 0)", "~csum_partial(skb.data, skb.len, 0) & 0xffff"),
  rx("odd pieces not rotated", "pos & 1 ? rotate16(part) : part", "part", SUM),
  rx("not marked COMPLETE", "skb.ipSummed = CHECKSUM_COMPLETE;", ""),
];
