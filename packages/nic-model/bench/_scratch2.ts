import { encodeInsns } from "@netoffload/cpr-ir";
import { Npu } from "../src/index.ts";

// crc32c of 100 bytes via helper 4
const text = encodeInsns([
  { op: 0xb4, dst: 2, src: 0, off: 0, imm: 100 },
  { op: 0xb4, dst: 3, src: 0, off: 0, imm: -1 },
  { op: 0x85, dst: 0, src: 0, off: 0, imm: 4 },
  { op: 0x95, dst: 0, src: 0, off: 0, imm: 0 },
]);
const npu = Npu.create({ memoryBytes: 4 << 20 });
console.log(npu.load(0, 1, text));
npu.bytes.fill(7, 0x200000, 0x200100);
console.log(npu.run(0, 1, [0x200000]));
npu.runBatch(0, 1, new Uint32Array(4096).fill(0x200000), 4096);
console.log(npu.run(0, 1, [0x200000]));
// leaking registers: exit returning r7
const leak = encodeInsns([
  { op: 0xbf, dst: 0, src: 7, off: 0, imm: 0 },
  { op: 0xb7, dst: 7, src: 0, off: 0, imm: 5 },
  { op: 0x95, dst: 0, src: 0, off: 0, imm: 0 },
]);
npu.clear(0);
npu.load(0, 1, leak);
console.log(npu.run(0, 1, [0]).ret, npu.run(0, 1, [0]).ret);
// ends with trap
npu.clear(0);
console.log(
  npu.load(
    0,
    1,
    encodeInsns([
      { op: 0xb7, dst: 1, src: 0, off: 0, imm: 4 },
      { op: 0x85, dst: 0, src: 0, off: 0, imm: 64 },
    ]),
  ),
);
