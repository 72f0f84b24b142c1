/**
 * What a reader of a dialect would stumble over: spellings that are read as others, and numbers of well-known
 * protocols that stand where another is meant. Everything here is a warning; nothing is changed.
 */
import type { Faults } from "../json/read.ts";
import type { Json, JsonObject } from "../json/text.ts";
import { get, intOf, objects, textOf } from "./tree.ts";

/** Look through a document as it was written. */
export function lint(root: JsonObject, faults: Faults): void {
  // of the root's own properties the reader tells
  for (const { value } of root.props.values()) spellings(value, faults);
  for (const table of objects(get(root, "proto-tables"))) etherTypes(objects(get(table, "ents")), faults);
  for (const node of objects(get(root, "parse-nodes"))) {
    const lookup = get(node, "next-proto");
    if (lookup?.kind === "object") {
      etherTypes(objects(get(lookup, "ents")), faults);
      nextOfIpv6(node, lookup, faults);
    }
    const tlvs = get(node, "tlv-parse-node", "tlvs-parse-node");
    if (tlvs?.kind === "object") options(tlvs, faults);
    const flags = get(node, "flag-fields-parse-node");
    if (flags?.kind === "object") greFlags(objects(get(flags, "ents")), faults);
  }
}

/** Properties that are written with an underscore on purpose. */
const UNDERSCORED: ReadonlySet<string> = new Set(["file_name", "is_union?", "array_size", "array_type"]);

function spellings(json: Json, faults: Faults): void {
  if (json.kind === "array") for (const item of json.items) spellings(item, faults);
  if (json.kind === "string" && /^stop-/.test(json.value)) {
    const meant = json.value.replaceAll("-", "_");
    faults.warn(
      "import.spelling",
      `'${json.value.slice(0, 40)}' is read as '${meant.slice(0, 40)}'`,
      json.at,
    );
  }
  if (json.kind !== "object") return;
  for (const [name, p] of json.props) {
    if (name.includes("_") && !UNDERSCORED.has(name) && /^[a-z_]{1,40}$/.test(name))
      faults.warn("import.spelling", `'${name}' is a misspelling of '${name.replaceAll("_", "-")}'`, p.at);
    // names are anybody's
    if (name !== "name" && name !== "node") spellings(p.value, faults);
  }
}

/** EtherTypes by the word that a node or an entry is named with. */
const ETHERTYPES: readonly (readonly [RegExp, number])[] = [
  [/ipv4|^ip$/i, 0x0800],
  [/ipv6/i, 0x86dd],
  [/^r?arp/i, 0x0806],
  [/8021q|ctag/i, 0x8100],
  [/8021ad|stag/i, 0x88a8],
  [/^mpls/i, 0x8847],
];

function etherTypes(ents: readonly JsonObject[], faults: Faults): void {
  for (const entry of ents) {
    const key = get(entry, "key");
    const value = intOf(key);
    const other = ETHERTYPES.find(([, number]) => number === value);
    const named = [textOf(get(entry, "name")), textOf(get(entry, "node"))].filter((n) => n !== undefined);
    const meant = ETHERTYPES.find(([word]) => named.some((n) => word.test(n)));
    if (key === undefined || other === undefined || meant === undefined || other === meant) continue;
    faults.warn(
      "import.protocol",
      `0x${value!.toString(16).padStart(4, "0")} is the EtherType of another protocol than ${named[0]}`,
      key.at,
      `0x${meant[1].toString(16).padStart(4, "0")}`,
    );
  }
}

/** An IPv6 header has its next header in byte 6; byte 9 is IPv4's protocol. */
function nextOfIpv6(node: JsonObject, lookup: JsonObject, faults: Faults): void {
  const off = get(lookup, "field-off");
  const ipv6 = /ipv6/i.test(textOf(get(node, "name")) ?? "") && intOf(get(node, "min-hdr-length")) === 40;
  if (ipv6 && off !== undefined && intOf(off) === 9)
    faults.warn("import.protocol", "byte 9 of an IPv6 header is part of an address", off.at, "6");
}

/** Options of IPv4 and TCP: 0 ends the list, 1 pads, and a length counts its own two bytes. */
function options(tlvs: JsonObject, faults: Faults): void {
  const [pad1, eol] = [get(tlvs, "pad1"), get(tlvs, "eol")];
  if (pad1 === undefined || eol === undefined) return;
  if (intOf(pad1) === 0 && intOf(eol) === 1)
    faults.warn(
      "import.protocol",
      "pad1 0 and eol 1: in IPv4 and TCP 0 ends the list and 1 pads",
      pad1.at,
      "1",
    );
  const length = get(tlvs, "tlv-length");
  if (length?.kind !== "object") return;
  const add = get(length, "add");
  if (add !== undefined && intOf(add) !== 0 && (intOf(get(length, "multiplier")) ?? 1) === 1)
    faults.warn(
      "import.protocol",
      `add ${intOf(add) ?? "?"}: lengths in IPv4 and TCP count type and length already, so these bytes count twice`,
      add.at,
      "0",
    );
}

/** RFC 2890: checksum 0x8000, key 0x2000, sequence 0x1000. */
const GRE: readonly (readonly [RegExp, number])[] = [
  [/csum|checksum/i, 0x8000],
  [/key/i, 0x2000],
  [/seq/i, 0x1000],
];

function greFlags(ents: readonly JsonObject[], faults: Faults): void {
  const wrong = ents.filter((e) => {
    const meant = GRE.find(([word]) => word.test(textOf(get(e, "name")) ?? ""));
    return (
      meant !== undefined &&
      [0x4000, 0x2000].includes(intOf(get(e, "flag")) ?? 0) &&
      intOf(get(e, "flag")) !== meant[1]
    );
  });
  for (const e of wrong) {
    const name = textOf(get(e, "name"))!;
    const meant = GRE.find(([word]) => word.test(name))!;
    const flag = get(e, "flag")!;
    faults.warn(
      "import.protocol",
      `flag 0x${intOf(flag)!.toString(16)} for '${name.slice(0, 40)}': RFC 2890 has checksum 0x8000, key 0x2000, sequence 0x1000`,
      flag.at,
      `0x${meant[1].toString(16)}`,
    );
  }
}
