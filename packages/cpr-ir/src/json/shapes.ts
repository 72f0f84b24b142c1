/**
 * Every object of a document, property by property: one table that the reader, the printer and the published
 * JSON Schema are made from.
 */
import { FLOW_KEYS } from "../ir/flow-keys.ts";

/** What a property holds. */
export type Kind =
  | { readonly t: "int"; readonly min: number; readonly max: number }
  | { readonly t: "bool" }
  | { readonly t: "text" }
  | { readonly t: "texts" }
  | { readonly t: "word"; readonly of: readonly string[] }
  | { readonly t: "code" }
  | { readonly t: "object"; readonly shape: ShapeName }
  | { readonly t: "list"; readonly shape: ShapeName }
  /** Chosen by the JSON type found. */
  | { readonly t: "either"; readonly of: readonly Kind[] };

/** A property. */
export interface Prop {
  readonly kind: Kind;
  readonly required?: boolean;
  /** Value that absence means; told in the schema, left out when printed. */
  readonly default?: number | boolean | string;
  /** Other spellings that are read. */
  readonly also?: readonly string[];
  readonly doc: string;
}

/** Properties of an object, in the order they are printed. */
export type Shape = Readonly<Record<string, Prop>>;

const U8: Kind = { t: "int", min: 0, max: 0xff };
const U16: Kind = { t: "int", min: 0, max: 0xffff };
const U32: Kind = { t: "int", min: 0, max: 0xffffffff };
const SHIFT: Kind = { t: "int", min: 0, max: 31 };
const OFFSET: Kind = { t: "int", min: 0, max: 0xffff };
const BOOL: Kind = { t: "bool" };
const TEXT: Kind = { t: "text" };
const CODE: Kind = { t: "code" };
const LEN4: Kind = { t: "int", min: 1, max: 4 };
const ENDIAN: Kind = { t: "word", of: ["big", "little"] };
const object = (shape: ShapeName): Kind => ({ t: "object", shape });
const list = (shape: ShapeName): Kind => ({ t: "list", shape });
const either = (...of: Kind[]): Kind => ({ t: "either", of });

const COMMENT: Shape = { comment: { kind: TEXT, doc: "For people; no meaning." } };
const NAME: Prop = { kind: TEXT, required: true, doc: "Unique in its kind." };
const LABEL: Prop = { kind: TEXT, doc: "For people; no meaning." };

const LOAD: Shape = {
  "field-off": { kind: OFFSET, doc: "First byte of the field, from the start of the unit." },
  "field-len": { kind: LEN4, doc: "Bytes of the field." },
  mask: { kind: U32, doc: "Bits kept, before the shift. Absent: all." },
  "right-shift": { kind: SHIFT, default: 0, also: ["shift"], doc: "Bits shifted out at the low end." },
  endian: { kind: ENDIAN, default: "big", doc: "Byte order of the field." },
  "select-key": { kind: { t: "int", min: 0, max: 15 }, doc: "Take a key register instead of a field." },
  "select-counter": { kind: TEXT, doc: "Take a counter instead of a field." },
  remaining: {
    kind: BOOL,
    default: false,
    doc: "Take the number of bytes from the unit's start to the packet's end instead of a field.",
  },
};

const AMOUNT: Shape = /* @__PURE__ */ (() => ({
  constant: { kind: { t: "int", min: 0, max: 0x7fffffff }, doc: "A fixed amount; alone." },
  ...LOAD,
  multiplier: { kind: U16, default: 1, doc: "Factor, after the shift." },
  add: { kind: U16, default: 0, doc: "Added last." },
}))();

const LOOKUP = (node: Kind): Shape => ({
  ...LOAD,
  table: { kind: TEXT, doc: "A named table." },
  ents: { kind: list("entry"), also: ["entries"], doc: "The table itself." },
  "wildcard-node": { kind: node, doc: "Taken when the table has no such key." },
  default: { kind: either({ t: "word", of: ["wild"] }, CODE), doc: "Code of a miss without wildcard." },
});

const CONDS: Prop = /* @__PURE__ */ (() => ({
  kind: object("checks"),
  also: ["cond_exprs"],
  doc: "Conditions.",
}))();
const METADATA: Prop = /* @__PURE__ */ (() => ({ kind: object("metadata"), doc: "Metadata written." }))();
const COUNTERS: Prop = /* @__PURE__ */ (() => ({
  kind: list("counter-action"),
  doc: "Counter steps before or after the metadata.",
}))();
const HANDLER: Prop = /* @__PURE__ */ (() => ({
  kind: either(TEXT, object("any")),
  doc: "A C function: not portable, not hashed.",
}))();
const TLV_REF: Kind = /* @__PURE__ */ (() => either(TEXT, object("tlv-node")))();
const SUB_REF: Kind = /* @__PURE__ */ (() => either(TEXT, object("sub-node")))();

/** All objects. */
export const SHAPES: Readonly<Record<ShapeName, Shape>> = /* @__PURE__ */ (() => ({
  document: {
    cpr: { kind: { t: "int", min: 1, max: 1 }, required: true, doc: "Version of the format." },
    ...COMMENT,
    minimized: { kind: BOOL, default: false, doc: "Equal nodes were merged before hashing." },
    parsers: { kind: list("parser"), required: true, doc: "Parsers sharing the node pool." },
    "parse-nodes": { kind: list("parse-node"), required: true, doc: "Protocol layers." },
    "proto-tables": { kind: list("proto-table"), doc: "Named tables: key to node." },
    "tlv-nodes": { kind: list("tlv-node"), doc: "TLV types." },
    "flag-fields-tables": { kind: list("flag-table"), doc: "Named flag tables." },
    "flag-fields-nodes": { kind: list("sub-node"), doc: "Handlers of flag fields." },
    "array-nodes": { kind: list("sub-node"), doc: "Handlers of array elements." },
    "metadata-objects": { kind: list("metadata-entry"), doc: "Named metadata entries." },
    "metadata-list": { kind: list("metadata-named"), doc: "Named lists of metadata entries." },
    "cond-exprs-list": {
      kind: list("checks-named"),
      also: ["cond_exprs_tables", "cond-exprs-tables"],
      doc: "Named lists of conditions.",
    },
    counters: { kind: list("counter"), doc: "Counters." },
    "metadata-layout": { kind: list("layout"), doc: "Names of metadata places; no meaning for the parse." },
    "flow-keys": {
      kind: list("flow-keys-field"),
      doc: "What a flow dissector hands over as struct bpf_flow_keys. Absent: the metameta area is that struct. Outside the hash.",
    },
    tables: { kind: list("table"), doc: "Annotated match tables, outside the hash." },
  },
  parser: {
    name: { kind: TEXT, doc: "Needed where a document has several." },
    ...COMMENT,
    "root-node": { kind: TEXT, required: true, doc: "First node." },
    "okay-target": { kind: TEXT, doc: "Exit node of a good end." },
    "fail-target": { kind: TEXT, doc: "Exit node of a bad end." },
    "encap-target": {
      kind: TEXT,
      also: ["atencap-target"],
      doc: "Runs when a layer is left by encapsulation.",
    },
    "max-nodes": {
      kind: { t: "int", min: 1, max: 0xffff },
      default: 255,
      doc: "Nodes that may be visited, inclusive.",
    },
    "max-encaps": { kind: U16, default: 4, doc: "Encapsulations allowed, inclusive." },
    "max-frames": { kind: { t: "int", min: 1, max: 1024 }, default: 4, doc: "Frames that exist." },
    "metameta-size": { kind: U16, default: 64, doc: "Bytes before frame 0." },
    "frame-size": { kind: U16, default: 256, doc: "Bytes of a frame." },
    "num-keys": { kind: { t: "int", min: 0, max: 16 }, default: 0, doc: "Key registers." },
  },
  "parse-node": {
    name: NAME,
    ...COMMENT,
    "min-hdr-length": { kind: U16, doc: "Bytes that must be there; required except for exit nodes." },
    "hdr-length": {
      kind: either({ t: "word", of: ["rest"] }, object("hdr-length")),
      doc: "Header length; absent: min-hdr-length. rest: all that is left.",
    },
    short: { kind: CODE, default: -13, doc: "Code when min-hdr-length bytes are not there." },
    overlay: { kind: BOOL, default: false, doc: "The next node starts where this one does." },
    encap: { kind: BOOL, default: false, doc: "Leaving this node enters an encapsulation." },
    "zero-length-ok": { kind: BOOL, default: false, doc: "A packet that ends with this header is good." },
    "pre-checks": { kind: object("checks"), doc: "Conditions before the metadata." },
    "counter-actions": COUNTERS,
    metadata: METADATA,
    "tlv-parse-node": {
      kind: object("tlvs"),
      also: ["tlvs-parse-node", "tlv_parse_node"],
      doc: "The header holds TLVs.",
    },
    "flag-fields-parse-node": { kind: object("flags"), doc: "The header holds optional fields." },
    "array-parse-node": { kind: object("array"), doc: "The header holds an array." },
    "post-metadata": { kind: object("metadata"), doc: "Metadata written behind TLVs, fields or elements." },
    "cond-exprs": { ...CONDS, doc: "Conditions before the next node is looked up." },
    "next-proto": { kind: object("next-proto"), doc: "Look-up of the next node." },
    "next-node": { kind: TEXT, doc: "The next node, whatever the packet." },
    handler: HANDLER,
  },
  "hdr-length": {
    ...COMMENT,
    "flag-fields-length": { kind: BOOL, default: false, doc: "Start of the flag fields plus those present." },
    ...AMOUNT,
    clamp: { kind: BOOL, default: false, doc: "Cut at the packet's end instead of STOP_LENGTH." },
  },
  load: { ...COMMENT, ...LOAD },
  amount: { ...COMMENT, ...AMOUNT },
  "next-proto": { ...COMMENT, ...LOOKUP(TEXT) },
  overlay: { ...COMMENT, ...LOOKUP(TLV_REF) },
  entry: {
    key: { kind: U32, required: true, doc: "Value behind mask and shift." },
    node: { kind: either(TEXT, object("inline-node")), required: true, doc: "Node of this key." },
    name: LABEL,
    ...COMMENT,
  },
  "proto-table": {
    name: NAME,
    ...COMMENT,
    ents: { kind: list("entry"), required: true, also: ["entries"], doc: "Entries." },
  },
  checks: {
    ...COMMENT,
    ents: { kind: list("check"), also: ["entries"], doc: "Conditions, evaluated in order." },
    list: { kind: TEXT, doc: "A named list." },
  },
  "checks-named": {
    name: NAME,
    ...COMMENT,
    ents: { kind: list("check"), required: true, also: ["entries"], doc: "Conditions, evaluated in order." },
  },
  check: {
    name: LABEL,
    ...COMMENT,
    type: { kind: { t: "word", of: ["and", "or"] }, default: "and", doc: "How the parts are joined." },
    "default-fail": { kind: CODE, default: -12, doc: "Code when the condition is false." },
    ents: { kind: list("expr"), required: true, also: ["entries"], doc: "Parts." },
  },
  expr: {
    name: LABEL,
    ...COMMENT,
    type: {
      kind: {
        t: "word",
        of: [
          "and",
          "or",
          "equal",
          "not_equal",
          "greater_than",
          "greater_or_equal",
          "less_than",
          "less_or_equal",
        ],
      },
      required: true,
      doc: "A comparison (unsigned), or how the parts are joined.",
    },
    ...LOAD,
    value: { kind: U32, doc: "Compared with." },
    ents: { kind: list("expr"), also: ["entries"], doc: "Parts of and, or." },
  },
  metadata: {
    ...COMMENT,
    ents: { kind: list("metadata-entry"), also: ["entries"], doc: "Entries, in order." },
    list: { kind: TEXT, doc: "A named list." },
  },
  "metadata-named": {
    name: NAME,
    ...COMMENT,
    ents: { kind: list("metadata-entry"), also: ["entries"], doc: "Entries, in order." },
    list: { kind: { t: "texts" }, doc: "Names of metadata-objects, in order, behind the entries." },
  },
  "metadata-entry": {
    name: LABEL,
    ...COMMENT,
    type: {
      kind: {
        t: "word",
        of: [
          "extract",
          "nibb_extract",
          "constant",
          "offset",
          "bit_offset",
          "hdr_length",
          "num_encaps",
          "num_nodes",
          "return_code",
          "counter",
          "key",
        ],
      },
      doc: "Absent: extract with hdr-src-off, constant with value.",
    },
    "hdr-src-off": {
      kind: OFFSET,
      doc: "First byte (nibb_extract: nibble) in the unit; added to an offset.",
    },
    "src-length": { kind: LEN4, doc: "Bytes of the field where it is not as long as the target." },
    "src-endian": {
      kind: ENDIAN,
      default: "big",
      doc: "Byte order of the field, where it is taken as a number.",
    },
    mask: { kind: U32, doc: "Bits kept, before the shift." },
    "right-shift": { kind: SHIFT, default: 0, also: ["shift"], doc: "Bits shifted out at the low end." },
    "nibb-length": { kind: { t: "int", min: 1, max: 64 }, doc: "Nibbles of nibb_extract." },
    value: { kind: U32, doc: "The constant." },
    key: { kind: { t: "int", min: 0, max: 15 }, doc: "The key register of type key." },
    counter: { kind: TEXT, doc: "The counter of type counter." },
    "from-end": { kind: BOOL, default: false, doc: "offset counts from the unit's end." },
    "md-off": { kind: U16, doc: "First byte of the target." },
    "is-frame": { kind: BOOL, default: false, doc: "In the current frame, not in the metameta area." },
    length: { kind: { t: "int", min: 1, max: 32 }, doc: "Bytes of the target; default 2, return_code 4." },
    endian: { kind: ENDIAN, default: "big", doc: "Byte order of the target; little reverses bytes copied." },
    "dst-shift": { kind: SHIFT, default: 0, doc: "Lowest bit written of the target taken as a number." },
    "dst-bits": { kind: { t: "int", min: 1, max: 32 }, doc: "Bits written; the others stay. Absent: all." },
    index: { kind: TEXT, doc: "Counter that chooses the array element." },
    "to-key": { kind: { t: "int", min: 0, max: 15 }, doc: "Write a key register instead of memory." },
    when: { kind: object("expr"), doc: "Written only where this holds." },
  },
  "counter-action": {
    ...COMMENT,
    name: { kind: TEXT, required: true, doc: "A counter." },
    type: {
      kind: {
        t: "word",
        of: ["pre_metadata_inc", "pre_metadata_reset", "post_metadata_inc", "post_metadata_reset"],
      },
      required: true,
      doc: "Step and moment.",
    },
  },
  counter: {
    name: NAME,
    ...COMMENT,
    "element-size": { kind: U16, default: 0, doc: "Bytes of an array element." },
    "num-elements": { kind: U16, default: 0, doc: "Elements of the array." },
    max: { kind: U16, doc: "Highest value. Absent: num-elements." },
    "reset-at-encap": { kind: BOOL, default: true, doc: "Zero again with each encapsulation." },
    "error-exceeded": { kind: BOOL, default: true, doc: "Counting beyond max is an error." },
    overwritable: { kind: BOOL, default: true, doc: "Beyond the array the last element is written." },
  },
  tlvs: {
    ...COMMENT,
    "start-offset": {
      kind: either(U16, object("amount")),
      doc: "First TLV. Absent: the unit's min-hdr-length.",
    },
    "tlv-type": { kind: object("load"), required: true, doc: "Type field of a TLV." },
    "tlv-length": {
      kind: object("amount"),
      required: true,
      doc: "Length of a TLV, type and length included.",
    },
    "min-hdr-length": {
      kind: { t: "int", min: 1, max: 0xffff },
      default: 2,
      doc: "Bytes of a TLV at least.",
    },
    pad1: { kind: U8, doc: "First byte of a one-byte padding." },
    eol: { kind: U8, doc: "First byte of the end of the list." },
    padn: { kind: U32, doc: "Type of padding with a length." },
    table: { kind: TEXT, doc: "A named table: type to TLV node." },
    ents: { kind: list("entry"), also: ["entries"], doc: "The table itself." },
    "wildcard-node": { kind: TLV_REF, doc: "Node of unknown types." },
    default: {
      kind: either({ t: "word", of: ["wild"] }, CODE),
      doc: "Code of an unknown type without wildcard; okay (the default) skips it.",
    },
    "max-tlvs": { kind: U16, default: 255, doc: "TLVs, paddings included, inclusive." },
    "max-non-padding": { kind: U16, default: 255, doc: "TLVs without paddings, inclusive." },
    "max-padding-length": { kind: U8, default: 255, doc: "Bytes of padding in a row, inclusive." },
    "max-consecutive-padding": { kind: U8, default: 255, doc: "Paddings in a row, inclusive." },
    "disp-limit-exceeded": {
      kind: CODE,
      default: -12,
      doc: "What a tripped limit yields; stop_fail: the limit's own code.",
    },
  },
  "tlv-node": {
    name: { kind: TEXT, doc: "Unique in its kind; inline nodes need none." },
    ...COMMENT,
    "min-hdr-length": { kind: U16, default: 0, doc: "Shorter ones are unknown." },
    "max-hdr-length": { kind: U16, doc: "Longer ones are unknown." },
    "cond-exprs": CONDS,
    "counter-actions": COUNTERS,
    metadata: METADATA,
    "nested-node": { kind: object("tlvs"), doc: "TLVs inside this one." },
    "overlay-node": { kind: object("overlay"), doc: "A second look-up inside the TLV." },
    handler: HANDLER,
  },
  "sub-node": {
    name: { kind: TEXT, doc: "Unique in its kind; inline nodes need none." },
    ...COMMENT,
    "cond-exprs": CONDS,
    "counter-actions": COUNTERS,
    metadata: METADATA,
    handler: HANDLER,
  },
  /** A node inside a table entry: what it may hold depends on the table's user. */
  "inline-node": {
    name: LABEL,
    ...COMMENT,
    "min-hdr-length": { kind: U16, default: 0, doc: "TLVs: shorter ones are unknown." },
    "max-hdr-length": { kind: U16, doc: "TLVs: longer ones are unknown." },
    "cond-exprs": CONDS,
    "counter-actions": COUNTERS,
    metadata: METADATA,
    "nested-node": { kind: object("tlvs"), doc: "TLVs inside this one." },
    "overlay-node": { kind: object("overlay"), doc: "A second look-up inside the TLV." },
    handler: HANDLER,
  },
  flags: {
    ...COMMENT,
    "flags-offset": { kind: OFFSET, required: true, doc: "First byte of the flags." },
    "flags-length": { kind: LEN4, required: true, doc: "Bytes of the flags." },
    "flags-mask": { kind: U32, doc: "Bits kept. Absent: all." },
    endian: { kind: ENDIAN, default: "big", doc: "Byte order of the flags." },
    "fields-offset": { kind: U16, doc: "First field. Absent: min-hdr-length." },
    table: { kind: TEXT, doc: "A named flag table." },
    ents: { kind: list("flag"), also: ["entries"], doc: "Flags in the order of their fields." },
  },
  flag: {
    flag: { kind: U32, required: true, doc: "Present when the masked flags equal this." },
    mask: { kind: U32, doc: "Absent or 0: same as flag." },
    "field-len": { kind: U16, default: 2, doc: "Bytes the field takes." },
    node: { kind: SUB_REF, doc: "What is done with it." },
    name: LABEL,
    ...COMMENT,
  },
  "flag-table": {
    name: NAME,
    ...COMMENT,
    ents: {
      kind: list("flag"),
      required: true,
      also: ["entries"],
      doc: "Flags in the order of their fields.",
    },
  },
  array: {
    ...COMMENT,
    "num-els": { kind: either(U16, object("amount")), required: true, doc: "Elements." },
    "start-offset": { kind: U16, doc: "First element. Absent: min-hdr-length." },
    "el-length": { kind: { t: "int", min: 1, max: 0xffff }, required: true, doc: "Bytes of an element." },
    "el-type": { kind: object("load"), doc: "Type field of an element. Absent: type 0." },
    table: { kind: TEXT, doc: "A named table: type to node." },
    ents: { kind: list("entry"), also: ["entries"], doc: "The table itself." },
    "wildcard-node": { kind: SUB_REF, doc: "Node of unknown types." },
    default: {
      kind: either({ t: "word", of: ["wild"] }, CODE),
      doc: "Code of an unknown type without wildcard; okay skips it. Default stop_unknown_proto.",
    },
    "max-els": { kind: U16, default: 255, doc: "Elements allowed, inclusive." },
  },
  layout: {
    name: NAME,
    ...COMMENT,
    "md-off": { kind: U16, required: true, doc: "First byte." },
    length: { kind: { t: "int", min: 1, max: 64 }, required: true, doc: "Bytes." },
    "is-frame": { kind: BOOL, default: false, doc: "In a frame." },
    endian: { kind: ENDIAN, default: "big", doc: "Byte order." },
    "bit-shift": { kind: SHIFT, default: 0, doc: "Lowest bit." },
    bits: { kind: { t: "int", min: 1, max: 32 }, doc: "Bits. Absent: all." },
  },
  "flow-keys-field": {
    member: {
      kind: { t: "word", of: Object.keys(FLOW_KEYS) },
      required: true,
      doc: "Member of the struct; ports, ipv4_addrs and ipv6_addrs are two beside each other.",
    },
    ...COMMENT,
    "md-off": { kind: U16, required: true, doc: "First byte." },
    length: { kind: { t: "int", min: 1, max: 32 }, required: true, doc: "Bytes." },
    "is-frame": { kind: BOOL, default: false, doc: "In a frame; all frames are one." },
    endian: { kind: ENDIAN, default: "big", doc: "Byte order in the metadata; the struct has its own." },
    "bit-shift": { kind: SHIFT, default: 0, doc: "Lowest bit." },
    bits: { kind: { t: "int", min: 1, max: 32 }, doc: "Bits. Absent: all." },
    values: {
      kind: list("flow-keys-value"),
      doc: "Constants that are other numbers in the struct; no others may be written.",
    },
  },
  "flow-keys-value": {
    value: { kind: U32, required: true, doc: "In the metadata." },
    means: { kind: U32, required: true, doc: "In the struct." },
  },
  table: {
    name: NAME,
    ...COMMENT,
    keys: { kind: { t: "texts" }, required: true, doc: "Names of the layout that are matched." },
    owner: {
      kind: { t: "word", of: ["route", "ntuple", "nftables", "flower", "raw"] },
      required: true,
      doc: "Who fills it.",
    },
    "max-entries": { kind: U32, doc: "Entries it holds." },
  },
  /** Anything at all: a handler of another tool. */
  any: {},
}))();

/** Name of an object of the format. */
export type ShapeName =
  | "document"
  | "parser"
  | "parse-node"
  | "hdr-length"
  | "load"
  | "amount"
  | "next-proto"
  | "overlay"
  | "entry"
  | "proto-table"
  | "checks"
  | "checks-named"
  | "check"
  | "expr"
  | "metadata"
  | "metadata-named"
  | "metadata-entry"
  | "counter-action"
  | "counter"
  | "tlvs"
  | "tlv-node"
  | "sub-node"
  | "inline-node"
  | "flags"
  | "flag"
  | "flag-table"
  | "array"
  | "layout"
  | "flow-keys-field"
  | "flow-keys-value"
  | "table"
  | "any";

/** The properties of an object. */
export function shapeOf(name: ShapeName): Shape {
  return SHAPES[name];
}
