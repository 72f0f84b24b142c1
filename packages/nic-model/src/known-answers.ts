/**
 * Known-answer test of the acceleration units that a program imports: run on the device before the program is
 * enabled. The answers are RFC 1071's example, the CRC-32C check value and the published vectors of the others.
 */
import {
  decodeModule,
  done,
  encodeInsns,
  encodeTcam,
  OP_CALL,
  OP_EXIT,
  TARGET,
  type TcamProgram,
} from "@netoffload/cpr-ir";
import type { BundleProgram } from "@netoffload/devlink";
import { newCompletion } from "./descriptor.ts";
import type { NicDevice } from "./device.ts";

/** Bytes, arguments of the unit (addresses relative to them), and what it must answer. */
interface KnownAnswer {
  readonly unit: string;
  readonly number: number;
  readonly bytes: readonly number[];
  readonly args: (at: number) => number[];
  readonly result?: number;
  /** Bytes written at an offset. */
  readonly written?: { readonly at: number; readonly bytes: readonly number[] };
}

const ASCII = [0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39];
const KEY = [0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0];

const ANSWERS: readonly KnownAnswer[] = [
  // RFC 1071 section 3: 0001 f203 f4f5 f6f7 sums to ddf2; read as little-endian words f2dd
  {
    unit: "csum_partial",
    number: 1,
    bytes: [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7],
    args: (at) => [at, 8, 0],
    result: 0xf2dd,
  },
  {
    unit: "copy",
    number: 2,
    bytes: ASCII,
    args: (at) => [at + 16, at, 9],
    written: { at: 16, bytes: ASCII },
  },
  {
    unit: "copy_csum",
    number: 3,
    bytes: [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7],
    args: (at) => [at + 16, at, 8, 0],
    result: 0xf2dd,
  },
  // "123456789": e3069283 with both inversions
  { unit: "crc32c", number: 4, bytes: ASCII, args: (at) => [at, 9, 0xffffffff], result: ~0xe3069283 >>> 0 },
  // Microsoft's verification suite: 66.9.149.187 to 161.142.100.80
  {
    unit: "toeplitz",
    number: 5,
    bytes: [...KEY, 66, 9, 149, 187, 161, 142, 100, 80],
    args: (at) => [at, at + 16, 8],
    result: 0x323e8fc2,
  },
  // SipHash-2-4 reference: key 00..0f, input 00..0e
  {
    unit: "siphash",
    number: 6,
    bytes: Array.from({ length: 16 }, (_, i) => i),
    args: (at) => [at, at, 15, at + 16],
    written: { at: 16, bytes: [0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1] },
  },
];

/** @returns null when every imported unit answers right, else the first that does not */
export function knownAnswerTest(device: NicDevice, program: BundleProgram): string | null {
  if (program.target === TARGET.tcam) return parserAnswers(device) ? null : "tcam";
  const { npu } = device;
  const module = decodeModule(program.ir);
  if (npu === null || !module.ok) return null;
  const staging = device.activeSlot === 0 ? 1 : 0;
  const area = npu.memoryBytes - 65536;
  for (const answer of ANSWERS) {
    if (!module.value.imports.some((i) => i.module === "accel1" && i.name === answer.unit)) continue;
    if (device.brokenUnit === answer.unit) return answer.unit;
    const text = encodeInsns([
      { op: OP_CALL, dst: 0, src: 0, off: 0, imm: answer.number },
      { op: OP_EXIT, dst: 0, src: 0, off: 0, imm: 0 },
    ]);
    npu.clear(staging);
    npu.bytes.fill(0, area, area + 64);
    npu.bytes.set(answer.bytes, area);
    const right =
      npu.load(staging, 15, text).ok &&
      check(answer, npu.run(staging, 15, answer.args(area)), npu.bytes, area);
    npu.clear(staging);
    if (!right) return answer.unit;
  }
  return null;
}

/** One state by hand: an Ethernet header, of IPv4 the first four bytes. */
const TABLE: TcamProgram = {
  start: 0,
  okayExit: -1,
  failExit: -1,
  maxNodes: 1,
  maxEncaps: 0,
  frames: 1,
  metametaSize: 4,
  frameSize: 0,
  numKeys: 0,
  numRegs: 0,
  states: [
    {
      node: 0,
      enter: true,
      need: 14,
      short: done(-13),
      keys: [{ kind: "packet", off: 12, len: 2, little: false }],
      entries: [
        {
          values: [0x0800],
          masks: [0xffff],
          ops: [
            {
              op: "copy",
              off: 0,
              target: { frame: false, off: 0, len: 4, little: false, shift: 0, bits: 32, index: null },
            },
          ],
          next: done(-4),
        },
        { values: [0], masks: [0], ops: [], next: done(-14) },
      ],
    },
  ],
};

/** Frames that end well, at an unknown protocol, and too soon; by their EtherType. */
const FRAMES: readonly (readonly [number[], number, number[]])[] = [
  [[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00], -4, [1, 2, 3, 4]],
  [[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0xdd], -14, [0, 0, 0, 0]],
  [[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0x08], -13, [0, 0, 0, 0]],
];

/** Does the parser engine match, copy and end as the table says? */
function parserAnswers(device: NicDevice): boolean {
  const { parser } = device;
  if (parser === null || device.brokenUnit === "tcam") return false;
  const staging = device.activeSlot === 0 ? 1 : 0;
  const refused = parser.load(staging, encodeTcam(TABLE));
  const right = FRAMES.every(([frame, code, metadata]) => {
    const c = newCompletion();
    parser.parse(staging, Uint8Array.from(frame), 14, c);
    return c.parseCode === code && metadata.every((b, i) => c.metadata[i] === b);
  });
  parser.clear(staging);
  return refused === null && right;
}

function check(
  answer: KnownAnswer,
  run: { ret: number; trap: string },
  bytes: Uint8Array,
  area: number,
): boolean {
  if (run.trap !== "NONE") return false;
  if (answer.result !== undefined && run.ret >>> 0 !== answer.result) return false;
  return answer.written?.bytes.every((b, i) => bytes[area + answer.written!.at + i] === b) ?? true;
}
