// The interpreter: the meaning of a parser. Every target is judged by it.
import * as at from "./layout";
import { begin, code, finish, packet, setResult } from "./state";
import { STOP_FAIL, walk } from "./walk";

/**
 * Parse a packet.
 * @param state - address of the state's words
 * @param from - address of the packet's first byte. @param length - its bytes. @param start - where the first header starts
 * @returns the code
 */
export function run(state: usize, from: usize, length: i32, start: i32): i32 {
  begin(state, from, from + length);
  const r = walk(load<i32>(code, at.ROOT), from + start, 0);
  setResult(r);
  const exit = r > STOP_FAIL ? load<i32>(code, at.OKAY_TARGET) : load<i32>(code, at.FAIL_TARGET);
  if (exit) walk(exit, packet, 0);
  finish();
  return r;
}
