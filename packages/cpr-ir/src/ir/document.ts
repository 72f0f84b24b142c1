/**
 * The document: `"cpr": 1` as written in a file, names unresolved, defaults absent.
 *
 * Property names and meanings are those of the JSON; `src/json/shapes.ts` holds ranges and defaults. Offsets
 * and lengths are bytes. Codes are numbers or names, other numbers may be hexadecimal strings in a file.
 */
import type { FlowKeysMember } from "./flow-keys.ts";

/** A code by number or name. */
export type CodeText = number | string;
/** A number, or hexadecimal in a string. */
export type Num = number | string;

/** A load: a field of the unit, a key register, a counter, or the bytes left. */
export interface LoadText {
  comment?: string;
  "field-off"?: Num;
  "field-len"?: Num;
  mask?: Num;
  "right-shift"?: Num;
  /** Byte order of the field. */
  endian?: "big" | "little";
  "select-key"?: Num;
  "select-counter"?: string;
  remaining?: boolean;
}

/** A load, multiplied and added to. `constant` stands alone. */
export interface AmountText extends LoadText {
  multiplier?: Num;
  add?: Num;
  constant?: Num;
}

/** Length of a header. */
export interface HdrLengthText extends AmountText {
  "flag-fields-length"?: boolean;
  /** A length beyond the packet's end is cut there instead of being STOP_LENGTH. */
  clamp?: boolean;
}

/** A comparison, or a list of conditions. */
export interface ExprText extends LoadText {
  name?: string;
  type?: string;
  value?: Num;
  ents?: ExprText[];
}

/** A condition with the code that it ends with. */
export interface CheckText {
  name?: string;
  comment?: string;
  type?: "and" | "or";
  "default-fail"?: CodeText;
  ents: ExprText[];
}

/** Conditions in order, or the name of such a list. */
export interface ChecksText {
  ents?: CheckText[];
  list?: string;
}

/** One metadata entry. */
export interface MetadataText {
  name?: string;
  comment?: string;
  type?: string;
  "md-off"?: Num;
  "is-frame"?: boolean;
  length?: Num;
  endian?: "big" | "little";
  "dst-shift"?: Num;
  "dst-bits"?: Num;
  index?: string;
  "to-key"?: Num;
  "hdr-src-off"?: Num;
  "src-length"?: Num;
  "src-endian"?: "big" | "little";
  mask?: Num;
  "right-shift"?: Num;
  "nibb-length"?: Num;
  value?: Num;
  key?: Num;
  counter?: string;
  "from-end"?: boolean;
  when?: ExprText;
}

/** Metadata of a unit: entries, or the name of a list. */
export interface MetadataListText {
  ents?: MetadataText[];
  list?: string;
}

/** A step of a counter. */
export interface CounterActionText {
  name: string;
  type: "pre_metadata_inc" | "pre_metadata_reset" | "post_metadata_inc" | "post_metadata_reset";
}

/** A table entry; `node` is a name or, for TLVs, fields and elements, the node itself. */
export interface EntryText<N> {
  key: Num;
  node: string | N;
  name?: string;
  comment?: string;
}

/** A look-up. */
export interface LookupText<N> extends LoadText {
  table?: string;
  ents?: EntryText<N>[];
  "wildcard-node"?: string | N;
  default?: CodeText;
}

/** TLVs of a header. */
export interface TlvsText {
  comment?: string;
  "start-offset"?: Num | AmountText;
  "tlv-type": LoadText;
  "tlv-length": AmountText;
  "min-hdr-length"?: Num;
  pad1?: Num;
  eol?: Num;
  padn?: Num;
  table?: string;
  ents?: EntryText<TlvNodeText>[];
  "wildcard-node"?: string | TlvNodeText;
  default?: CodeText;
  "max-tlvs"?: Num;
  "max-non-padding"?: Num;
  "max-padding-length"?: Num;
  "max-consecutive-padding"?: Num;
  "disp-limit-exceeded"?: CodeText;
}

/** One TLV. */
export interface TlvNodeText {
  name?: string;
  comment?: string;
  "min-hdr-length"?: Num;
  "max-hdr-length"?: Num;
  "cond-exprs"?: ChecksText;
  metadata?: MetadataListText;
  "counter-actions"?: CounterActionText[];
  "nested-node"?: TlvsText;
  "overlay-node"?: LookupText<TlvNodeText>;
  handler?: string;
}

/** Handler of a flag field or an array element. */
export interface SubNodeText {
  name?: string;
  comment?: string;
  "cond-exprs"?: ChecksText;
  metadata?: MetadataListText;
  "counter-actions"?: CounterActionText[];
  handler?: string;
}

/** A flag. */
export interface FlagText {
  flag: Num;
  mask?: Num;
  "field-len"?: Num;
  node?: string | SubNodeText;
  name?: string;
  comment?: string;
}

/** Flag fields of a header. */
export interface FlagsText {
  comment?: string;
  "flags-offset": Num;
  "flags-length": Num;
  "flags-mask"?: Num;
  endian?: "big" | "little";
  "fields-offset"?: Num;
  table?: string;
  ents?: FlagText[];
}

/** Array of a header. */
export interface ArrayText {
  comment?: string;
  "num-els": Num | AmountText;
  "start-offset"?: Num;
  "el-length": Num;
  "el-type"?: LoadText;
  table?: string;
  ents?: EntryText<SubNodeText>[];
  "wildcard-node"?: string | SubNodeText;
  default?: CodeText;
  "max-els"?: Num;
}

/** A protocol layer. */
export interface ParseNodeText {
  name: string;
  comment?: string;
  "min-hdr-length"?: Num;
  "hdr-length"?: HdrLengthText | "rest";
  short?: CodeText;
  overlay?: boolean;
  encap?: boolean;
  "zero-length-ok"?: boolean;
  "pre-checks"?: ChecksText;
  "counter-actions"?: CounterActionText[];
  metadata?: MetadataListText;
  "tlv-parse-node"?: TlvsText;
  "flag-fields-parse-node"?: FlagsText;
  "array-parse-node"?: ArrayText;
  "post-metadata"?: MetadataListText;
  "cond-exprs"?: ChecksText;
  "next-proto"?: LookupText<never>;
  "next-node"?: string;
  handler?: string | object;
}

/** A parser over the node pool. */
export interface ParserText {
  name?: string;
  comment?: string;
  "root-node": string;
  "okay-target"?: string;
  "fail-target"?: string;
  "encap-target"?: string;
  "max-nodes"?: Num;
  "max-encaps"?: Num;
  "max-frames"?: Num;
  "metameta-size"?: Num;
  "frame-size"?: Num;
  "num-keys"?: Num;
}

/** A counter. */
export interface CounterText {
  name: string;
  comment?: string;
  "element-size"?: Num;
  "num-elements"?: Num;
  max?: Num;
  "reset-at-encap"?: boolean;
  "error-exceeded"?: boolean;
  overwritable?: boolean;
}

/** Where a named value lies in the metadata; says nothing about the parse. */
export interface LayoutText {
  name: string;
  comment?: string;
  "md-off": Num;
  length: Num;
  "is-frame"?: boolean;
  endian?: "big" | "little";
  "bit-shift"?: Num;
  bits?: Num;
}

/** A place of the metadata that is a member of struct bpf_flow_keys; says nothing about the parse. */
export interface FlowKeysText {
  member: FlowKeysMember;
  comment?: string;
  "md-off": Num;
  length: Num;
  "is-frame"?: boolean;
  endian?: "big" | "little";
  "bit-shift"?: Num;
  bits?: Num;
  values?: { value: Num; means: Num }[];
}

/** An annotated match table: outside the parser's hash, inside its dump. */
export interface TableText {
  name: string;
  comment?: string;
  keys: string[];
  owner: "route" | "ntuple" | "nftables" | "flower" | "raw";
  "max-entries"?: Num;
}

/** A CPR document. */
export interface CprDocument {
  cpr: 1;
  comment?: string;
  minimized?: boolean;
  parsers: ParserText[];
  "parse-nodes": ParseNodeText[];
  "proto-tables"?: { name: string; comment?: string; ents: EntryText<TlvNodeText & SubNodeText>[] }[];
  "tlv-nodes"?: TlvNodeText[];
  "flag-fields-tables"?: { name: string; comment?: string; ents: FlagText[] }[];
  "flag-fields-nodes"?: SubNodeText[];
  "array-nodes"?: SubNodeText[];
  "metadata-objects"?: MetadataText[];
  "metadata-list"?: { name: string; comment?: string; ents?: MetadataText[]; list?: string[] }[];
  "cond-exprs-list"?: { name: string; comment?: string; ents: CheckText[] }[];
  counters?: CounterText[];
  "metadata-layout"?: LayoutText[];
  "flow-keys"?: FlowKeysText[];
  tables?: TableText[];
}
