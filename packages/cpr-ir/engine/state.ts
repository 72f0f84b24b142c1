// The parse that is going on. One at a time: the module's globals hold it.
import * as at from "./layout";

/** Address of the state, of the program's first word, of metadata, keys, counters. */
export let state: usize = 0;
export let code: usize = 0;
export let metadata: usize = 0;
export let keys: usize = 0;
export let counters: usize = 0;
/** Addresses of the packet's first byte and of the one behind its last. */
export let packet: usize = 0;
export let end: usize = 0;
/** Start of the current frame in the metadata, its number; encapsulations and nodes so far. */
export let frame: i32 = 0;
export let frameNumber: i32 = 0;
export let encaps: i32 = 0;
export let nodes: i32 = 0;
export let lastNode: i32 = 0;
export let result: i32 = 0;
export let traced: bool = false;

// @ts-expect-error: decorator
@external("env", "node")
declare function toldNode(index: i32, off: i32, length: i32): void;
// @ts-expect-error: decorator
@external("env", "write")
declare function toldWrite(to: i32, length: i32): void;
// @ts-expect-error: decorator
@external("env", "key")
declare function toldKey(key: i32, value: i32): void;

/** One of the words at an address. */
// @ts-expect-error: decorator
@inline
export function word(place: usize, index: i32): i32 {
  return load<i32>(place + ((<usize>index) << 2));
}

export function begin(s: usize, from: usize, to: usize): void {
  state = s;
  code = load<i32>(s, at.STATE_PROGRAM);
  metadata = load<i32>(s, at.STATE_METADATA);
  keys = load<i32>(s, at.STATE_KEYS);
  counters = load<i32>(s, at.STATE_COUNTERS);
  traced = load<i32>(s, at.STATE_TRACE) != 0;
  packet = from;
  end = to;
  frame = load<i32>(code, at.METAMETA_SIZE);
  frameNumber = 0;
  encaps = 0;
  nodes = 0;
  lastNode = load<i32>(code, at.ROOT_NODE);
  result = 0;
  const n = load<i32>(code, at.COUNTERS);
  for (let i = 0; i < n; i++) store<i32>(counters + 4 * i, 0);
}

/** Results to where the caller finds them. */
export function finish(): void {
  store<i32>(state, result, at.STATE_CODE);
  store<i32>(state, lastNode, at.STATE_LAST_NODE);
  store<i32>(state, encaps, at.STATE_ENCAPS);
  store<i32>(state, nodes, at.STATE_NODES);
}

export function enterNode(index: i32): void {
  nodes++;
  lastNode = index;
}

export function setResult(value: i32): void {
  result = value;
}

/** The next frame, if there is one. @returns whether the parser allows one more encapsulation */
export function nextFrame(): bool {
  encaps++;
  if (encaps > load<i32>(code, at.MAX_ENCAPS)) return false;
  if (frameNumber + 1 < load<i32>(code, at.FRAMES)) {
    frameNumber++;
    frame += load<i32>(code, at.FRAME_SIZE);
  }
  const n = load<i32>(code, at.COUNTERS);
  const kept = code + load<i32>(code, at.KEPT);
  for (let i = 0; i < n; i++) store<i32>(counters + 4 * i, load<i32>(counters + 4 * i) & load<i32>(kept + 4 * i));
  return true;
}

/** Tell who watches: a node was entered, bytes were written, a key register was. */
export function entered(from: usize, length: i32): void {
  if (traced) toldNode(lastNode, <i32>(from - packet), length);
}

export function wrote(to: i32, length: i32): void {
  if (traced) toldWrite(to, length);
}

export function wroteKey(key: i32, value: i32): void {
  if (traced) toldKey(key, value);
}
