import { seal, TARGET, writeImage } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { checkImage, type Refusal } from "../src/index.ts";
import { program, ROOM, TwoSlotDriver } from "./device.ts";

const tx = program("tx_csum");
const rx = program("rx_csum");
/** An ebpf program's functions: rx as one. */
const WHOLE = [{ name: "rx_csum", start: 0, end: rx.text.length / 8, params: 1 }];
const good = writeImage({ programs: [tx, rx] });
const one = writeImage({ programs: [rx] });

const refusal = (bytes: Uint8Array, driver = new TwoSlotDriver(), policy = {}): Refusal => {
  const answer = checkImage(bytes, "offsim/x.img", driver, policy);
  if (answer.ok) throw new Error("accepted");
  return answer;
};

/** Little-endian fields of an ELF file. */
function edit(image: Uint8Array, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = image.slice();
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

const sections = (view: DataView): { header: number; at: number; size: number; type: number }[] => {
  const table = Number(view.getBigUint64(40, true));
  return Array.from({ length: view.getUint16(60, true) }, (_, i) => ({
    header: table + 64 * i,
    at: Number(view.getBigUint64(table + 64 * i + 24, true)),
    size: Number(view.getBigUint64(table + 64 * i + 32, true)),
    type: view.getUint32(table + 64 * i + 4, true),
  }));
};
const notes = (view: DataView) => sections(view).filter(({ type }) => type === 7);
/** Where a note's descriptor begins: 12 bytes of header, the owner's 12. */
const descriptor = (view: DataView, i: number): number => notes(view)[i]!.at + 24;

const sealed = (bytes: Uint8Array): Uint8Array => {
  seal(bytes);
  return bytes;
};

describe("a good image", () => {
  test("is granted with its programs, hashes and bytes of its own", () => {
    const answer = checkImage(good, "offsim/x.img", new TwoSlotDriver());
    if (!answer.ok) throw new Error(answer.extack);
    const bundle = answer.value;
    expect(bundle.programs.map(({ name, target }) => [name, target])).toEqual([
      ["tx_csum", 3],
      ["rx_csum", 3],
    ]);
    expect(bundle.file).toBe("offsim/x.img");
    expect(bundle.image).toEqual(good);
    expect(bundle.image.buffer).not.toBe(good.buffer);
  });
});

const other = (digit: string): string => `sha256:${digit.repeat(64)}`;

/** Each check of the table with its errno and the exact text; where it can be, with a later fault present too. */
const REFUSED: [string, Uint8Array, number, string, string][] = [
  ["1 shorter than the header", good.slice(0, 63), 1, "EINVAL", "program image is truncated"],
  ["1 nothing", new Uint8Array(0), 1, "EINVAL", "program image is truncated"],
  ["2 magic", edit(good, (_, b) => b.fill(0, 0, 1)), 2, "EINVAL", "not a program image"],
  ["2 class", edit(good, (_, b) => b.fill(1, 4, 5)), 2, "EINVAL", "not a program image"],
  ["2 byte order", edit(good, (_, b) => b.fill(2, 5, 6)), 2, "EINVAL", "not a program image"],
  ["2 machine", edit(good, (v) => v.setUint16(18, 62, true)), 2, "EINVAL", "not a program image"],
  [
    "2 no note of ours",
    edit(good, (v, b) => {
      for (const { at } of notes(v)) b[at + 12] = 0x78;
    }),
    2,
    "EINVAL",
    "not a program image",
  ],
  [
    "3 ABI 2",
    edit(good, (v) => v.setUint32(descriptor(v, 0), 2, true)),
    3,
    "EPROTONOSUPPORT",
    "program image version 2 is not supported",
  ],
  [
    "4 longer than it says",
    Uint8Array.from([...good, 0]),
    4,
    "EINVAL",
    `program image length mismatch: header says ${good.length}, file has ${good.length + 1}`,
  ],
  [
    "5 too many sections",
    edit(good, (v) => v.setUint16(60, 65, true)),
    5,
    "EINVAL",
    "program image section table is invalid",
  ],
  [
    "5 a section outside the file",
    edit(good, (v) => v.setBigUint64(sections(v)[1]!.header + 32, 1n << 40n, true)),
    5,
    "EINVAL",
    "program image section .ir.tx_csum is invalid",
  ],
  [
    "5 overlapping sections",
    edit(good, (v) => v.setBigUint64(sections(v)[2]!.header + 24, BigInt(sections(v)[1]!.at), true)),
    5,
    "EINVAL",
    "program image section .text.tx_csum is invalid",
  ],
  [
    "5 a section twice",
    edit(good, (v) => v.setUint32(sections(v)[4]!.header, v.getUint32(sections(v)[1]!.header, true), true)),
    5,
    "EINVAL",
    "program image section .ir.tx_csum is invalid",
  ],
  [
    "5 no code",
    edit(good, (v) => v.setUint32(sections(v)[2]!.header + 4, 8, true)),
    5,
    "EINVAL",
    "program image section .text.tx_csum is invalid",
  ],
  [
    "6 one bit",
    edit(good, (_, b) => b.fill(b[70]! ^ 1, 70, 71)),
    6,
    "EBADMSG",
    "program image checksum mismatch",
  ],
  [
    "7 SHA-1 only",
    writeImage({ programs: [{ ...rx, sha256: other("0"), target: TARGET.wasm }] }),
    7,
    "EOPNOTSUPP",
    "hash algorithm sha1 is not supported",
  ],
  [
    "8 a forged hash, foreign target",
    writeImage({ programs: [{ ...rx, sha256: other("1"), target: TARGET.wasm }] }),
    8,
    "EBADMSG",
    "program image hash does not match its IR",
  ],
  [
    "8 a forged sha1",
    writeImage({ programs: [{ ...rx, sha1: "1".repeat(40) }] }),
    8,
    "EBADMSG",
    "program image hash does not match its IR",
  ],
  [
    "8 the second program's",
    writeImage({ programs: [tx, { ...rx, sha256: other("1") }] }),
    8,
    "EBADMSG",
    "program image hash does not match its IR",
  ],
  [
    "9 before 10: foreign target and IR that is none",
    writeImage({ programs: [{ ...rx, target: TARGET.ebpf, ir: Uint8Array.of(1, 2, 3), functions: WHOLE }] }),
    9,
    "ENOEXEC",
    "program image is for target ebpf, device is npu",
  ],
  [
    "9 the second program's",
    writeImage({ programs: [tx, { ...rx, target: TARGET.wasm }] }),
    9,
    "ENOEXEC",
    "program image is for target wasm, device is npu",
  ],
  [
    "9 an unknown target",
    writeImage({ programs: [{ ...rx, target: 77 }] }),
    9,
    "ENOEXEC",
    "program image is for target 77, device is npu",
  ],
  [
    "9 parsers are called so",
    writeImage({ programs: [{ ...rx, irKind: 1, target: TARGET.tcam }] }),
    9,
    "ENOEXEC",
    "parser image is for target tcam, device is npu",
  ],
  [
    "10 another function's program",
    writeImage({ programs: [{ ...rx, name: "tx_csum" }] }),
    10,
    "EINVAL",
    "invalid program tx_csum: the module exports rx_csum",
  ],
];

describe("the container's checks", () => {
  test.each(REFUSED)("%s", (_name, bytes, check, errno, extack) => {
    expect(refusal(bytes)).toEqual({ ok: false, errno, extack, check });
  });

  test("10: the profile's reason is given", () => {
    const answer = refusal(
      writeImage({ programs: [{ ...rx, ir: Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0) }] }),
    );
    expect(answer).toMatchObject({ errno: "EINVAL", check: 10 });
    expect(answer.extack).toMatch(/^invalid program rx_csum: ./);
  });

  test("11: code that is not of its IR, unless the site trusts the compiler", () => {
    const driver = new TwoSlotDriver();
    driver.faults.codeMismatch = true;
    driver.programmable = { ...driver.programmable!, resources: { ...ROOM, instructions: 1 } };
    expect(refusal(good, driver)).toEqual({
      ok: false,
      errno: "EBADMSG",
      extack: "program code does not correspond to its IR",
      check: 11,
    });
    expect(refusal(good, driver, { checkCode: false }).check).toBe(12);
  });

  test("12: instructions add up over the bundle, a stack does not", () => {
    const driver = new TwoSlotDriver();
    const need = (tx.text.length + rx.text.length) / 8;
    const roomFor = (instructions: number, stack: number): void => {
      driver.programmable = { ...driver.programmable!, resources: { ...ROOM, instructions, stack } };
    };
    roomFor(need, 4096);
    expect(checkImage(good, "x", driver).ok).toBe(true);
    roomFor(need - 1, 4096);
    expect(refusal(good, driver)).toEqual({
      ok: false,
      errno: "ENOSPC",
      extack: `program needs ${need} instructions, device has ${need - 1}`,
      check: 12,
    });
    const deep = [tx, rx].map((p) => ({ ...p, resources: { ...p.resources, stack: 1024 } }));
    roomFor(need, 1024);
    expect(checkImage(writeImage({ programs: deep }), "x", driver).ok).toBe(true);
    roomFor(need, 1023);
    expect(refusal(writeImage({ programs: deep }), driver).extack).toBe(
      "program needs 1024 stack, device has 1023",
    );
  });

  test("a device that runs nothing", () => {
    const driver = new TwoSlotDriver();
    driver.programmable = null;
    expect(refusal(good, driver)).toMatchObject({ errno: "EOPNOTSUPP" });
  });
});

describe("damage", () => {
  test("cut at any length", () => {
    const driver = new TwoSlotDriver();
    for (let n = 0; n < one.length; n++)
      expect(checkImage(one.slice(0, n), "x", driver).ok, `${n} bytes`).toBe(false);
  });

  test("any byte changed, also with length and digest made right again: refused, or the same programs", () => {
    const driver = new TwoSlotDriver();
    const whole = checkImage(one, "x", driver);
    if (!whole.ok) throw new Error(whole.extack);
    for (let at = 0; at < one.length; at += 2) {
      const bad = edit(one, (_, b) => {
        b[at]! ^= 1 << (at % 8);
      });
      expect(checkImage(bad, "x", driver).ok, `byte ${at}`).toBe(false);
      try {
        sealed(bad);
      } catch {
        // the note cannot be found any more
        continue;
      }
      const answer = checkImage(bad, "x", driver);
      if (answer.ok) expect(answer.value.programs[0]!.sha256).toBe(whole.value.programs[0]!.sha256);
    }
  });
});
