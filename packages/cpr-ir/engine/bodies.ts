// Bodies of nodes: TLV lists, optional fields, arrays. Each is given its words' address and the header.
import * as at from "./layout";
import { code, word } from "./state";
import { find } from "./table";
import { STOP_FAIL, STOP_LENGTH, STOP_SUB_NODE_OKAY, field, walk } from "./walk";

const STOP_TLV_LENGTH: i32 = -17;
const STOP_LOOP_CNT: i32 = -20;
const STOP_TLV_PADDING: i32 = -21;
const STOP_OPTION_LIMIT: i32 = -22;

/** The number that the chain at a place gives; the commonest without a call. */
// @ts-expect-error: decorator
@inline
function value(first: i32, unit: usize, length: i32): i32 {
  const step = code + first;
  const kind = load<i32>(step, at.KIND);
  if (kind == at.FIELD_GIVE) return field(step, unit);
  if (kind == at.CONSTANT_GIVE) return load<i32>(step, at.VALUE);
  return walk(first, unit, length);
}

// @ts-expect-error: decorator
@inline
function limit(t: usize, code: i32): i32 {
  const own = load<i32>(t, at.TLVS_DISP_LIMIT);
  return own == STOP_FAIL ? code : own;
}

/** @returns OKAY, or the code that ends more than the list */
export function tlvList(t: usize, header: usize, headerLength: i32): i32 {
  const over = header + headerLength;
  let unit = header + value(load<i32>(t, at.TLVS_START), header, headerLength);
  let loops = 0;
  let nonPadding = 0;
  let padded = 0;
  let consecutive = 0;
  while (unit < over) {
    if (++loops > load<i32>(t, at.TLVS_MAX)) return limit(t, STOP_LOOP_CNT);
    const first = <i32>load<u8>(unit);
    if (first == load<i32>(t, at.TLVS_EOL)) return 0;
    let length = 1;
    let padding = first == load<i32>(t, at.TLVS_PAD1);
    let type = 0;
    if (!padding) {
      const left = <i32>(over - unit);
      const minLen = load<i32>(t, at.TLVS_MIN_LEN);
      if (left < minLen) return STOP_TLV_LENGTH;
      length = value(load<i32>(t, at.TLVS_LENGTH), unit, 0);
      if (length < minLen || length > left) return STOP_TLV_LENGTH;
      type = value(load<i32>(t, at.TLVS_TYPE), unit, length);
      padding = type == load<i32>(t, at.TLVS_PADN) && load<i32>(t, at.TLVS_HAS_PADN) != 0;
    }
    if (padding) {
      padded += length;
      if (padded > load<i32>(t, at.TLVS_MAX_PADDING_LENGTH) || ++consecutive > load<i32>(t, at.TLVS_MAX_CONSECUTIVE_PADDING))
        return limit(t, STOP_TLV_PADDING);
    } else {
      padded = 0;
      consecutive = 0;
      if (++nonPadding > load<i32>(t, at.TLVS_MAX_NON_PADDING)) return limit(t, STOP_OPTION_LIMIT);
      const r = tlv(code + load<i32>(t, at.TLVS_TABLE), type, unit, length);
      if (r) return r;
    }
    unit += length;
  }
  return 0;
}

/** One TLV: its node where it fits, else the wildcard where that fits, else the code of the unknown. */
function tlv(table: usize, key: i32, unit: usize, length: i32): i32 {
  let place = find(table, key);
  if (place == 0 || !fits(place, length)) place = load<i32>(table, at.TABLE_WILDCARD);
  if (place == 0 || !fits(place, length)) return load<i32>(table, at.TABLE_DEFAULT);
  const node = code + place;
  let r = walk(load<i32>(node, at.TLV_STEPS), unit, length);
  const nested = load<i32>(node, at.TLV_NESTED);
  if (r == 0 && nested != 0) {
    r = tlvList(code + nested, unit, length);
    if (r == STOP_SUB_NODE_OKAY) r = 0;
  }
  const overlay = load<i32>(node, at.TLV_OVERLAY);
  if (r != 0 || overlay == 0) return r;
  const by = load<i32>(node, at.TLV_KEY);
  return tlv(code + overlay, by == 0 ? 0 : value(by, unit, length), unit, length);
}

// @ts-expect-error: decorator
@inline
function fits(place: i32, length: i32): bool {
  const node = code + place;
  const most = load<i32>(node, at.TLV_MAX_LEN);
  return length >= load<i32>(node, at.TLV_MIN_LEN) && (most < 0 || length <= most);
}

/** Where the fields start, and the sizes of those present. */
export function flagsLength(f: usize, flags: i32): i32 {
  let length = load<i32>(f, at.FLAGS_START);
  let field = f + at.FLAGS_FIELDS;
  for (let n = load<i32>(f, at.FLAGS_COUNT); n > 0; n--, field += at.FIELD_BYTES)
    if ((flags & load<i32>(field, at.FIELD_MASK)) == load<i32>(field, at.FIELD_FLAG)) length += load<i32>(field, at.FIELD_LEN);
  return length;
}

export function flagFields(f: usize, header: usize, headerLength: i32): i32 {
  const flags = value(load<i32>(f, at.FLAGS_LOAD), header, headerLength);
  const over = header + headerLength;
  let unit = header + load<i32>(f, at.FLAGS_START);
  let field = f + at.FLAGS_FIELDS;
  for (let n = load<i32>(f, at.FLAGS_COUNT); n > 0; n--, field += at.FIELD_BYTES) {
    if ((flags & load<i32>(field, at.FIELD_MASK)) != load<i32>(field, at.FIELD_FLAG)) continue;
    const len = load<i32>(field, at.FIELD_LEN);
    if (load<i32>(field, at.FIELD_HANDLED)) {
      if (unit + len > over) return STOP_LENGTH;
      const r = walk(load<i32>(field, at.FIELD_STEPS), unit, len);
      if (r) return r;
    }
    unit += len;
  }
  return 0;
}

export function array(a: usize, header: usize, headerLength: i32): i32 {
  const count = value(load<i32>(a, at.ARRAY_COUNT), header, headerLength);
  if (<u32>count > <u32>load<i32>(a, at.ARRAY_MAX_ELS)) return STOP_LOOP_CNT;
  const over = header + headerLength;
  const elLen = load<i32>(a, at.ARRAY_EL_LEN);
  const table = code + load<i32>(a, at.ARRAY_TABLE);
  let unit = header + load<i32>(a, at.ARRAY_START);
  for (let i = 0; i < count; i++, unit += elLen) {
    if (<i32>(over - unit) < elLen) return STOP_LENGTH;
    let steps = find(table, value(load<i32>(a, at.ARRAY_TYPE), unit, elLen));
    if (steps == 0) steps = load<i32>(table, at.TABLE_WILDCARD);
    const r = steps == 0 ? load<i32>(table, at.TABLE_DEFAULT) : walk(steps, unit, elLen);
    if (r) return r;
  }
  return 0;
}
