/** Result codes of a parser: the numbers of XDP2 and kParser. */

/** Every code by name. */
export const CODE = {
  OKAY: 0,
  RET_OKAY: -1,
  OKAY_USE_WILD: -2,
  OKAY_USE_ALT_WILD: -3,
  STOP_OKAY: -4,
  STOP_NODE_OKAY: -5,
  STOP_SUB_NODE_OKAY: -6,
  STOP_FAIL: -12,
  STOP_LENGTH: -13,
  STOP_UNKNOWN_PROTO: -14,
  STOP_ENCAP_DEPTH: -15,
  STOP_UNKNOWN_TLV: -16,
  STOP_TLV_LENGTH: -17,
  STOP_BAD_FLAG: -18,
  STOP_FAIL_CMP: -19,
  STOP_LOOP_CNT: -20,
  STOP_TLV_PADDING: -21,
  STOP_OPTION_LIMIT: -22,
  STOP_MAX_NODES: -23,
  STOP_COMPARE: -24,
  STOP_BAD_EXTRACT: -25,
  STOP_BAD_CNTR: -26,
  STOP_CNTR1: -27,
  STOP_CNTR2: -28,
  STOP_CNTR3: -29,
  STOP_CNTR4: -30,
  STOP_CNTR5: -31,
  STOP_CNTR6: -32,
  STOP_CNTR7: -33,
  STOP_THREADS_FAIL: -34,
} as const;

/** Name of a code. */
export type CodeName = keyof typeof CODE;

const NAMES: ReadonlyMap<number, CodeName> = /* @__PURE__ */ (() =>
  new Map(Object.entries(CODE).map(([name, code]) => [code, name as CodeName])))();

/** `STOP_OKAY` for -4; the number itself where it has no name. */
export function codeName(code: number): string {
  return NAMES.get(code) ?? String(code);
}

/** The code of a name in any of the spellings in use (`STOP_OKAY`, `stop-okay`, `stop_node`), or null. */
export function codeOf(name: string): number | null {
  const plain = name.toUpperCase().replaceAll("-", "_");
  const full = SHORT.get(plain) ?? plain;
  return Object.hasOwn(CODE, full) ? CODE[full as CodeName] : null;
}

/** True for a number that is some code. */
export function isCode(code: number): boolean {
  return NAMES.has(code);
}

/** True where a parse ended well: the okay target runs, not the fail target. */
export function isOkay(code: number): boolean {
  return code > CODE.STOP_FAIL;
}

/** Spellings of the dialects. */
const SHORT: ReadonlyMap<string, string> = new Map([
  ["CONTINUE", "OKAY"],
  ["STOP_NODE", "STOP_NODE_OKAY"],
  ["STOP_SUB", "STOP_SUB_NODE_OKAY"],
  ["STOP_SUB_NODE", "STOP_SUB_NODE_OKAY"],
]);
