// Look-ups.
import * as at from "./layout";
import { word } from "./state";

/** What a key gets in the table at `table`, 0: it is not there. */
// @ts-expect-error: decorator
@inline
export function find(table: usize, key: i32): i32 {
  const multiplier = load<i32>(table, at.TABLE_MULTIPLIER);
  if (multiplier == 0) return search(table, key);
  const row = table + at.TABLE_ROWS + (<usize>(<u32>(key * multiplier) >>> load<i32>(table, at.TABLE_SHIFT)) << 3);
  return load<i32>(row) == key ? load<i32>(row, 4) : 0;
}

function search(table: usize, key: u32): i32 {
  let low = 0;
  let high = load<i32>(table, at.TABLE_SHIFT) - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const row = table + at.TABLE_ROWS + (<usize>middle << 3);
    const found = load<u32>(row);
    if (found == key) return load<i32>(row, 4);
    if (found < key) low = middle + 1;
    else high = middle - 1;
  }
  return 0;
}
