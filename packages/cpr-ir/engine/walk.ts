// What each step does. A reader checks it against `cpr.md` section 2, and the order of steps in `src/interp/lower.ts`.
// Nothing outside the packet is read: the resolver has seen to it that every load lies in bytes that were checked.
// All loops are bounded: by the limit of nodes, by the header's length, by the limit of elements.
import { array, flagFields, flagsLength, tlvList } from "./bodies";
import { copy, nibbles, number as bytes, reverse, storeBits } from "./bytes";
import * as at from "./layout";
import {
  code, counters, encaps, end, enterNode, entered, frame, keys, metadata, nextFrame, nodes, packet, result, word,
  wrote, wroteKey,
} from "./state";
import { find } from "./table";

export const STOP_OKAY: i32 = -4;
export const STOP_NODE_OKAY: i32 = -5;
export const STOP_SUB_NODE_OKAY: i32 = -6;
export const STOP_FAIL: i32 = -12;
export const STOP_LENGTH: i32 = -13;
const STOP_ENCAP_DEPTH: i32 = -15;
const STOP_MAX_NODES: i32 = -23;
const STOP_BAD_EXTRACT: i32 = -25;

/** A body that ended so ended the node well, or only itself. */
// @ts-expect-error: decorator
@inline
function goesOn(code: i32): bool {
  return code == 0 || code == STOP_NODE_OKAY || code == STOP_SUB_NODE_OKAY;
}

/** Byte of the metadata where a step writes. */
// @ts-expect-error: decorator
@inline
function target(step: usize, element: i32): i32 {
  return load<i32>(step, at.TO) + (load<i32>(step, at.FRAME) & frame) + (load<i32>(step, at.ELEMENT) & element);
}

// @ts-expect-error: decorator
@inline
function part(step: usize, value: i32): i32 {
  return (value & load<i32>(step, at.MASK)) >>> load<i32>(step, at.SHIFT);
}

/** Bytes behind the field, and behind the packet, do not count: the mask takes them away. */
// @ts-expect-error: decorator
@inline
export function field(step: usize, unit: usize): i32 {
  return part(step, bswap<i32>(load<i32>(unit + load<i32>(step, at.OFF))));
}

/**
 * Run a chain on the `length` bytes at `unit`. A node's goes on from node to node until the parse ends.
 * @param first - the chain's place
 * @returns OKAY at the chain's end, the code of a step that ended it, or the number that GIVE gives
 */
export function walk(first: i32, unit: usize, length: i32): i32 {
  const base = code;
  let number: i32 = 0;
  let element: i32 = 0;
  let step = base + first;
  while (true) {
    let next = step + at.STEP_BYTES;
    switch (load<i32>(step, at.KIND)) {
      case at.FIELD_HEADER:
        number = field(step, unit);
      // falls through
      case at.HEADER: {
        const left = <i32>(end - unit);
        length = number * load<i32>(step, at.SCALE) + load<i32>(step, at.VALUE);
        if (load<i32>(step, at.FLAG) && length > left) length = left;
        if (length < load<i32>(step, at.LEN) || length > left) return STOP_LENGTH;
        entered(unit, length);
        break;
      }
      case at.REST:
        length = <i32>(end - unit);
        entered(unit, length);
        break;
      case at.FLAGS_LENGTH:
        number = flagsLength(base + load<i32>(step, at.REF), number);
        break;

      case at.FIELD:
        number = field(step, unit);
        break;
      case at.BYTES:
        number = part(step, bytes(unit + load<i32>(step, at.OFF), load<i32>(step, at.LEN), load<i32>(step, at.LITTLE)));
        break;
      case at.CONSTANT:
        number = load<i32>(step, at.VALUE);
        break;
      case at.KEY:
        number = part(step, word(keys, load<i32>(step, at.OFF)));
        break;
      case at.COUNTER:
        number = part(step, word(counters, load<i32>(step, at.OFF)));
        break;
      case at.REMAINING:
        number = part(step, <i32>(end - unit));
        break;
      case at.START:
        number = <i32>(unit - packet) + load<i32>(step, at.VALUE);
        if (number & ~load<i32>(step, at.MASK)) return STOP_BAD_EXTRACT;
        break;
      case at.END:
        number = <i32>(unit - packet) + length + load<i32>(step, at.VALUE);
        if (number & ~load<i32>(step, at.MASK)) return STOP_BAD_EXTRACT;
        break;
      case at.START_BITS:
        number = 8 * <i32>(unit - packet) + load<i32>(step, at.VALUE);
        if (number & ~load<i32>(step, at.MASK)) return STOP_BAD_EXTRACT;
        break;
      case at.END_BITS:
        number = 8 * (<i32>(unit - packet) + length) + load<i32>(step, at.VALUE);
        if (number & ~load<i32>(step, at.MASK)) return STOP_BAD_EXTRACT;
        break;
      case at.LENGTH:
        number = length;
        if (number & ~load<i32>(step, at.MASK)) return STOP_BAD_EXTRACT;
        break;
      case at.ENCAPS:
        number = encaps;
        break;
      case at.NODES:
        number = nodes;
        break;
      case at.CODE:
        number = result;
        break;
      case at.AMOUNT:
        number = number * load<i32>(step, at.SCALE) + load<i32>(step, at.VALUE);
        break;
      case at.GIVE:
        return number;
      case at.FIELD_GIVE:
        return field(step, unit);
      case at.CONSTANT_GIVE:
        return load<i32>(step, at.VALUE);

      case at.FIELD_EQUAL:
        number = field(step, unit);
      // falls through
      case at.EQUAL:
        if (number != load<i32>(step, at.VALUE)) next = base + load<i32>(step, at.OTHER);
        break;
      case at.FIELD_NOT_EQUAL:
        number = field(step, unit);
      // falls through
      case at.NOT_EQUAL:
        if (number == load<i32>(step, at.VALUE)) next = base + load<i32>(step, at.OTHER);
        break;
      case at.GREATER_THAN:
        if (<u32>number <= <u32>load<i32>(step, at.VALUE)) next = base + load<i32>(step, at.OTHER);
        break;
      case at.GREATER_OR_EQUAL:
        if (<u32>number < <u32>load<i32>(step, at.VALUE)) next = base + load<i32>(step, at.OTHER);
        break;
      case at.LESS_THAN:
        if (<u32>number >= <u32>load<i32>(step, at.VALUE)) next = base + load<i32>(step, at.OTHER);
        break;
      case at.LESS_OR_EQUAL:
        if (<u32>number > <u32>load<i32>(step, at.VALUE)) next = base + load<i32>(step, at.OTHER);
        break;
      case at.STOP:
        return load<i32>(step, at.VALUE);

      case at.CONSTANT_STORE8:
        number = load<i32>(step, at.VALUE);
      // falls through
      case at.STORE8: {
        const to = target(step, element);
        store<u8>(metadata + to, number);
        wrote(to, 1);
        break;
      }
      case at.START_STORE16:
        number = <i32>(unit - packet) + load<i32>(step, at.VALUE);
        if (number & ~load<i32>(step, at.MASK)) return STOP_BAD_EXTRACT;
      // falls through
      case at.STORE16: {
        const to = target(step, element);
        store<u16>(metadata + to, load<i32>(step, at.LITTLE) ? number : bswap<u16>(<u16>number));
        wrote(to, 2);
        break;
      }
      case at.STORE32: {
        const to = target(step, element);
        store<i32>(metadata + to, load<i32>(step, at.LITTLE) ? number : bswap<i32>(number));
        wrote(to, 4);
        break;
      }
      case at.STORE_BITS: {
        const to = target(step, element);
        const len = load<i32>(step, at.LEN);
        storeBits(metadata + to, len, load<i32>(step, at.LITTLE), load<i32>(step, at.MASK), number << load<i32>(step, at.SHIFT));
        wrote(to, len);
        break;
      }
      case at.STORE_KEY:
        store<i32>(keys + 4 * load<i32>(step, at.TO), number);
        wroteKey(load<i32>(step, at.TO), number);
        break;
      case at.COPY: {
        const to = target(step, element);
        const len = load<i32>(step, at.LEN);
        if (load<i32>(step, at.LITTLE)) reverse(metadata + to, unit + load<i32>(step, at.OFF), len);
        else copy(metadata + to, unit + load<i32>(step, at.OFF), len);
        wrote(to, len);
        break;
      }
      case at.NIBBLES: {
        const to = target(step, element);
        const len = load<i32>(step, at.LEN);
        const from = 2 * <i32>(unit - packet) + load<i32>(step, at.OFF);
        nibbles(metadata + to, len, load<i32>(step, at.LITTLE), packet, from, load<i32>(step, at.COUNT));
        wrote(to, len);
        break;
      }
      case at.ARRAY_ELEMENT: {
        const c = word(counters, load<i32>(step, at.OFF));
        const count = load<i32>(step, at.COUNT);
        if (<u32>c < <u32>count) element = load<i32>(step, at.SCALE) * c;
        else if (load<i32>(step, at.FLAG)) element = load<i32>(step, at.SCALE) * (count - 1);
        else next = base + load<i32>(step, at.OTHER);
        break;
      }
      case at.COUNT_UP: {
        const counter = counters + 4 * load<i32>(step, at.TO);
        if (load<u32>(counter) < <u32>load<i32>(step, at.COUNT)) store<i32>(counter, load<i32>(counter) + 1);
        else if (load<i32>(step, at.VALUE)) return load<i32>(step, at.VALUE);
        break;
      }
      case at.RESET:
        store<i32>(counters + 4 * load<i32>(step, at.TO), 0);
        break;

      case at.TLVS: {
        const r = tlvList(base + load<i32>(step, at.REF), unit, length);
        if (!goesOn(r)) return r;
        break;
      }
      case at.FLAGS: {
        const r = flagFields(base + load<i32>(step, at.REF), unit, length);
        if (r) return r;
        break;
      }
      case at.ARRAY: {
        const r = array(base + load<i32>(step, at.REF), unit, length);
        if (!goesOn(r)) return r;
        break;
      }
      case at.ENCAP:
        if (load<i32>(base, at.ENCAP_TARGET)) walk(load<i32>(base, at.ENCAP_TARGET), packet, 0);
        if (!nextFrame()) return STOP_ENCAP_DEPTH;
        break;
      case at.JUMP:
        next = base + load<i32>(step, at.TO);
        break;
      case at.FIELD_LOOKUP:
        number = field(step, unit);
      // falls through
      case at.LOOKUP:
      case at.GO: {
        let node = load<i32>(step, at.TO);
        if (node == 0) {
          const table = base + load<i32>(step, at.REF);
          node = find(table, number);
          if (node == 0) node = load<i32>(table, at.TABLE_WILDCARD);
          if (node == 0) return load<i32>(table, at.TABLE_DEFAULT);
        }
        const flag = load<i32>(step, at.FLAG);
        if (!(flag & at.OVERLAY)) unit += length;
        if (flag & at.ZERO_LENGTH_OK && unit == end) return STOP_OKAY;
        step = base + node;
        next = step + at.STEP_BYTES;
      }
      // falls through: a node begins so
      case at.ENTER:
        if (nodes == load<i32>(base, at.MAX_NODES)) return STOP_MAX_NODES;
        enterNode(load<i32>(step, at.TO));
        length = load<i32>(step, at.LEN);
        if (<i32>(end - unit) < length) return load<i32>(step, at.VALUE);
        if (load<i32>(step, at.FLAG)) entered(unit, length);
        break;
    }
    step = next;
  }
}
