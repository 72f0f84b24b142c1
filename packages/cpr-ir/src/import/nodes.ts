/** Nodes of the dialects, property by property. */
import { clip, type Json, type JsonObject } from "../json/text.ts";
import type { Import } from "./dialects.ts";
import {
  arrayAt,
  boolAt,
  drop,
  get,
  intOf,
  isTrue,
  numberAt,
  objectAt,
  objects,
  set,
  stringAt,
  textOf,
} from "./tree.ts";

type Tables = ReadonlyMap<string, JsonObject>;

/** Names of the comparisons in other dialects. */
const COMPARE: Readonly<Record<string, string>> = {
  ugt: "greater_than",
  uge: "greater_or_equal",
  ult: "less_than",
  ule: "less_or_equal",
};

/** Change a parse node, TLV node or handler. */
export function importNode(n: JsonObject, of: Import, tables: Tables): void {
  const header = get(n, "hdr-length");
  if (header?.kind === "object") importLoad(header, of, "little");
  importMetadata(get(n, "metadata"), of);
  importConditions(n, of);
  const flags = get(n, "flag-fields-parse-node");
  if (flags?.kind === "object") importFlags(n, flags, of, tables);
  const tlvs = get(n, "tlv-parse-node", "tlvs-parse-node");
  if (tlvs?.kind === "object") importTlvs(tlvs, of, tables);
  for (const name of ["next-proto", "overlay-node"]) {
    const lookup = get(n, name);
    if (lookup?.kind === "object") importLookup(n, lookup, of, tables, name === "next-proto");
  }
  const handler = get(n, "handler");
  if (handler?.kind === "object") set(n, "handler", stringAt(handler, textOf(get(handler, "name")) ?? "?"));
}

/** `endian-swap` says network order; without it a little-endian CPU's. One byte has no order. */
function importLoad(load: JsonObject, of: Import, unswapped: "little" | "big"): void {
  const swap = isTrue(get(load, "endian-swap"));
  const len = intOf(get(load, "field-len", "flags-length")) ?? 1;
  if (len > 1 && !swap && unswapped === "little") set(load, "endian", stringAt(load, "little"));
  drop(load, "endian-swap");
  const mask = get(load, "mask");
  const shift = get(load, "right-shift", "shift");
  if (of.dialect === "xdp2" && len > 1 && mask !== undefined && (intOf(shift) ?? 0) > 0)
    of.faults.warn(
      "import.mask",
      "the mask is in wire order, the shift in host order: they contradict each other",
      mask.at,
      "check both against the protocol",
    );
}

function importLookup(n: JsonObject, lookup: JsonObject, of: Import, tables: Tables, proto: boolean): void {
  importLoad(lookup, of, "big");
  const fallback = of.dialect === "kparser" ? -12 : proto ? -14 : 0;
  importDefault(lookup, of, proto ? fallback : of.dialect === "kparser" ? -12 : 0);
  const named = textOf(get(lookup, "table"));
  const table = named === undefined ? lookup : tables.get(named);
  if (table === undefined || of.done.has(table)) return;
  of.done.add(table);
  for (const entry of objects(get(table, "ents", "entries"))) {
    importKey(lookup, entry, of);
    if (proto) importEncap(n, entry, of);
  }
}

/** A default is a class of codes in the dialects; a wildcard beside it wins. */
function importDefault(lookup: JsonObject, of: Import, fallback: number): void {
  const given = get(lookup, "default");
  const wildcard = get(lookup, "wildcard-node");
  if (given === undefined) {
    if (wildcard === undefined && fallback !== 0) set(lookup, "default", numberAt(lookup, fallback));
    return;
  }
  const text = textOf(given)?.replaceAll("-", "_");
  if (text === "alt_wild")
    of.faults.error(
      "import.default",
      "alt_wild has no meaning anywhere",
      given.at,
      "wildcard-node, or a code",
    );
  if (text === "wild" || wildcard !== undefined) drop(lookup, "default");
}

/** Keys are wire values; raw little-endian ones are recognised by a field they cannot come from otherwise. */
function importKey(lookup: JsonObject, entry: JsonObject, of: Import): void {
  const key = get(entry, "key");
  const value = intOf(key);
  const len = intOf(get(lookup, "field-len")) ?? 1;
  if (key === undefined || value === undefined || len !== 2 || value > 0xffff) return;
  const swapped = ((value & 0xff) << 8) | (value >> 8);
  const masked = get(lookup, "mask") !== undefined || get(lookup, "right-shift", "shift") !== undefined;
  if (of.dialect === "xdp2" && masked && value > 0xff && swapped <= 0xff) {
    of.faults.warn(
      "import.key",
      `key 0x${value.toString(16)} was swapped behind its mask`,
      key.at,
      `0x${swapped.toString(16)}`,
    );
    set(entry, "key", numberAt(key, swapped));
  } else if (of.keyOrder === "host") set(entry, "key", numberAt(key, swapped));
  else if (RAW_KEYS.has(value) && !masked)
    of.faults.warn(
      "import.key-order",
      `key 0x${value.toString(16)} looks like a raw little-endian 0x${swapped.toString(16).padStart(4, "0")}`,
      key.at,
      "read the keys in host order",
    );
}

/** EtherTypes as a little-endian machine loads them. */
const RAW_KEYS: ReadonlySet<number> = new Set([
  0x0008, 0x0608, 0x3580, 0x0081, 0xa888, 0xdd86, 0x4788, 0x4888, 0x6488, 0xca88, 0x0689, 0x0543,
]);

/** `encap` on an entry: a node in between that only enters the encapsulation. */
function importEncap(n: JsonObject, entry: JsonObject, of: Import): void {
  if (!isTrue(get(entry, "encap"))) {
    drop(entry, "encap");
    return;
  }
  const node = get(entry, "node");
  const target = textOf(node);
  drop(entry, "encap");
  if (node === undefined || target === undefined) return;
  const name = `${clip(textOf(get(n, "name")) ?? "")} encap ${target}`;
  of.faults.warn(
    "import.encap",
    "encap belongs to a node: one is put in between, which counts as visited",
    entry.at,
  );
  set(entry, "node", stringAt(node, name));
  const known = of.added.some((a) => a.kind === "object" && textOf(get(a, "name")) === name);
  if (!known)
    of.added.push(
      objectAt(entry, {
        name: stringAt(entry, name),
        "min-hdr-length": numberAt(entry, 0),
        overlay: boolAt(entry, true),
        encap: boolAt(entry, true),
        "next-node": stringAt(entry, target),
      }),
    );
}

function importConditions(n: JsonObject, of: Import): void {
  const conditions = get(n, "cond-exprs");
  if (conditions?.kind !== "object") return;
  const ents = objects(get(conditions, "ents", "entries"));
  // the compiler writes one condition without its list
  if (get(conditions, "default-fail") !== undefined && of.dialect !== "kparser") {
    const one = objectAt(conditions, Object.fromEntries([...conditions.props].map(([k, p]) => [k, p.value])));
    set(n, "cond-exprs", objectAt(conditions, { ents: arrayAt(conditions, [one]) }));
    for (const op of ents) importOp(op, of);
    return;
  }
  for (const base of ents) {
    if (get(base, "default-fail") === undefined) set(base, "default-fail", numberAt(base, -4));
    for (const op of objects(get(base, "ents", "entries"))) importOp(op, of);
  }
}

function importOp(op: JsonObject, of: Import): void {
  const type = get(op, "type");
  const name = textOf(type);
  for (const inner of objects(get(op, "ents", "entries"))) importOp(inner, of);
  if (type === undefined || name === undefined || name === "and" || name === "or") return;
  if (Object.hasOwn(COMPARE, name)) set(op, "type", stringAt(type, COMPARE[name]!));
  else if (/^s[gl][te]$/.test(name)) importSigned(op, type, name, of);
  importLoad(op, of, of.dialect === "kparser" ? "little" : "big");
}

/** Signed and unsigned comparison agree where the load cannot be negative. */
function importSigned(op: JsonObject, type: Json, name: string, of: Import): void {
  const len = intOf(get(op, "field-len")) ?? 4;
  const mask = intOf(get(op, "mask")) ?? 0xffffffff;
  if (len === 4 && mask > 0x7fffffff)
    of.faults.error("import.signed", `${name} compares signed numbers, which has no native form`, type.at);
  set(op, "type", stringAt(type, COMPARE[`u${name.slice(1)}`]!));
}

function importMetadata(metadata: Json | undefined, of: Import): void {
  if (metadata?.kind !== "object") return;
  const ents = get(metadata, "ents", "entries");
  if (ents?.kind !== "array") return;
  const kept = ents.items.filter((e) => e.kind !== "object" || importEntry(e, of));
  set(metadata, "ents", arrayAt(ents, kept));
}

/** @returns false where the entry is left out */
function importEntry(e: JsonObject, of: Import): boolean {
  const constant = get(e, "constant");
  if (constant !== undefined && get(e, "value") === undefined) {
    set(e, "value", constant);
    drop(e, "constant");
    if (get(e, "type") === undefined) set(e, "type", stringAt(constant, "constant"));
  }
  const type =
    textOf(get(e, "type"))?.replaceAll("-", "_") ?? (get(e, "value") === undefined ? "extract" : "constant");
  if (type === "timestamp") {
    if (of.dialect === "kparser") {
      of.faults.warn("import.timestamp", "type timestamp writes nothing in kParser: left out", e.at);
      return false;
    }
    of.faults.warn("import.timestamp", "type timestamp is a copy of 4 bytes", e.at);
    set(e, "type", stringAt(e, "extract"));
    if (get(e, "length") === undefined) set(e, "length", numberAt(e, 4));
  }
  if (type !== "constant" && get(e, "value") !== undefined) {
    of.faults.warn("import.value", `value has no meaning for type ${type}: left out`, get(e, "value")!.at);
    drop(e, "value");
  }
  const copies = type === "extract" || type === "nibb_extract" || type === "timestamp";
  // host order of a little-endian CPU, unless bytes are copied as they are
  if (copies ? isTrue(get(e, "endian-swap")) : true) set(e, "endian", stringAt(e, "little"));
  drop(e, "endian-swap", "nibb-odd");
  const struct = intOf(get(e, "struct-off"));
  if (struct !== undefined) {
    set(e, "md-off", numberAt(e, (intOf(get(e, "md-off")) ?? 0) + struct));
    drop(e, "struct-off");
  }
  return true;
}

function importTlvs(tlvs: JsonObject, of: Import, tables: Tables): void {
  for (const name of ["tlv-type", "tlv-length", "start-offset"]) {
    const load = get(tlvs, name);
    if (load?.kind === "object") importLoad(load, of, "little");
  }
  for (const name of ["data-offset", "loop-count-exceeded-is-err"]) {
    const given = get(tlvs, name);
    if (given !== undefined)
      of.faults.warn("import.tlvs", `${name} is read by no engine: left out`, given.at);
    drop(tlvs, name);
  }
  if (of.dialect === "kparser") {
    if (get(tlvs, "disp-limit-exceeded") === undefined) set(tlvs, "disp-limit-exceeded", numberAt(tlvs, -4));
  } else if ((intOf(get(tlvs, "max-tlvs")) ?? 0) === 0) set(tlvs, "max-tlvs", numberAt(tlvs, 0xffff));
  importDefault(tlvs, of, 0);
  const named = textOf(get(tlvs, "table"));
  const table = named === undefined ? tlvs : tables.get(named);
  if (table === undefined || of.done.has(table)) return;
  of.done.add(table);
  for (const entry of objects(get(table, "ents", "entries"))) {
    const node = get(entry, "node");
    if (node?.kind === "object") importNode(node, of, tables);
  }
}

function importFlags(n: JsonObject, flags: JsonObject, of: Import, tables: Tables): void {
  importLoad(flags, of, "big");
  for (const name of ["flags-reverse-order", "default"]) {
    const given = get(flags, name);
    if (given !== undefined)
      of.faults.warn("import.flags", `${name} says nothing that the order does not: left out`, given.at);
    drop(flags, name);
  }
  const length = get(flags, "hdr-length");
  if (length?.kind === "object") {
    if (get(n, "hdr-length") === undefined) set(n, "hdr-length", length);
    drop(flags, "hdr-length");
  }
  for (const entry of objects(get(flags, "ents", "entries"))) {
    const len = get(entry, "field-len");
    if (intOf(len) === 0)
      of.faults.warn(
        "import.field-len",
        "field-len 0: the compiler writes the size divided by 8",
        len!.at,
        "the size in bytes",
      );
    const metadata = get(entry, "metadata");
    if (metadata === undefined || get(entry, "node") !== undefined) continue;
    const node = objectAt(entry, { metadata, handler: get(entry, "handler") });
    importNode(node, of, tables);
    set(entry, "node", node);
    drop(entry, "metadata", "handler");
  }
}
