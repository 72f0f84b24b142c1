import { describe, expect, test } from "vitest";
import wabtInit from "wabt";
import {
  canonicalModule,
  checkProfile,
  type Diagnostic,
  decodeModule,
  hashProgram,
  orThrow,
} from "../../src/index.ts";

const wabt = await wabtInit();
const FEATURES = {
  multi_value: true,
  tail_call: true,
  threads: true,
  simd: true,
  bulk_memory: true,
  reference_types: true,
  sign_extension: true,
};

/** A module by somebody else's assembler. */
function assemble(wat: string): Uint8Array {
  const module = wabt.parseWat("module.wat", wat, FEATURES);
  const { buffer } = module.toBinary({ write_debug_names: true });
  module.destroy();
  return buffer;
}

const MEMORY = '(import "env" "memory" (memory 16))';
const ENTRY = '(func $entry (export "tx_csum") (param i32) (result i32) i32.const 0)';
const body = (code: string, locals = ""): string =>
  `(module ${MEMORY} (func $entry (export "tx_csum") (param i32) (result i32) ${locals} ${code}))`;

/** Everything that decoding and the profile say. */
function faults(bytes: Uint8Array, functionNumber = 1): readonly Diagnostic[] {
  const decoded = decodeModule(bytes);
  return decoded.ok ? checkProfile(decoded.value, { functionNumber }) : decoded.diagnostics;
}

test("a small program keeps the profile", () => {
  expect(faults(assemble(`(module ${MEMORY} ${ENTRY})`))).toEqual([]);
});

// what is refused, and words of its message; `at` marks those whose place in a function is named
const refused: [string, string, RegExp, boolean?][] = [
  ["another import", `(module ${MEMORY} (import "env" "now" (func)) ${ENTRY})`, /import env\.now/],
  [
    "accel2",
    `(module ${MEMORY} (import "accel2" "copy" (func (param i32 i32 i32))) ${ENTRY})`,
    /accel2\.copy/,
  ],
  [
    "a unit's signature",
    `(module ${MEMORY} (import "accel1" "copy" (func (param i32 i32))) ${ENTRY})`,
    /accel1\.copy takes 3 i32 and gives 0/,
  ],
  ["no memory", `(module ${ENTRY})`, /env\.memory is not imported/],
  ["a memory of its own", `(module (memory 1) ${ENTRY})`, /memory/],
  ["a larger memory", `(module (import "env" "memory" (memory 17)) ${ENTRY})`, /17 pages/],
  ["a maximum", `(module (import "env" "memory" (memory 16 16)) ${ENTRY})`, /at most 16/],
  ["start", `(module ${MEMORY} (func $s) (start $s) ${ENTRY})`, /start section/],
  ["a table", `(module ${MEMORY} (table 1 funcref) ${ENTRY})`, /table section/],
  ["an element", `(module ${MEMORY} (table 1 funcref) (elem (i32.const 0) 0) ${ENTRY})`, /section/],
  ["passive data", `(module ${MEMORY} (data "x") ${ENTRY})`, /data/],
  ["data outside the region", `(module ${MEMORY} (data (i32.const 0x30010) "x") ${ENTRY})`, /0x30010/],
  ["data over the trap cell", `(module ${MEMORY} (data (i32.const 0x20000) "x") ${ENTRY})`, /0x20000/],
  ["data over the region's end", `(module ${MEMORY} (data (i32.const 0x2ffff) "xy") ${ENTRY})`, /0x2ffff/],
  ["a mutable i64", `(module ${MEMORY} (global (mut i64) (i64.const 1)) ${ENTRY})`, /mutable i64/],
  ["two exports", `(module ${MEMORY} ${ENTRY} (func (export "b")))`, /2 exports/],
  ["no export", `(module ${MEMORY} (func))`, /0 exports/],
  [
    "six parameters",
    `(module ${MEMORY} (func (export "gso") (param i32 i32 i32 i32 i32 i32) (result i32) i32.const 0))`,
    /6 parameters/,
  ],
  [
    "an i64 parameter",
    `(module ${MEMORY} (func (export "gso") (param i64) (result i32) i32.const 0))`,
    /all i32/,
  ],
  ["no result", `(module ${MEMORY} (func (export "gso")))`, /must give one i32/],
  [
    "multi-value",
    `(module ${MEMORY} (func $two (result i32 i32) i32.const 1 i32.const 2) ${ENTRY})`,
    /result/,
  ],
  ["memory.grow", body("i32.const 1 memory.grow"), /memory\.grow/, true],
  ["memory.size", body("memory.size"), /memory\.size/, true],
  ["f32", body("f32.const 1 i32.trunc_f32_s"), /0x43 .floating point/, true],
  ["f64", body("local.get 0 f64.convert_i32_s drop i32.const 0"), /0xb7 .floating point/, true],
  ["a float local", body("i32.const 0", "(local f64)"), /f64|float|0x7c/],
  ["v128", body("v128.const i32x4 1 1 1 1 drop i32.const 0"), /v128|0xfd/, true],
  ["atomics", body("local.get 0 i32.atomic.load"), /atomic|0xfe/, true],
  ["tail call", body("local.get 0 return_call $entry"), /return_call/, true],
  [
    "call_indirect",
    `(module ${MEMORY} (table 1 funcref) (func $entry (export "tx_csum") (param i32) (result i32) i32.const 0 call_indirect (result i32)))`,
    /table section|call_indirect/,
  ],
  ["recursion", body("local.get 0 call $entry"), /recursion/, true],
  [
    "recursion through others",
    `(module ${MEMORY} (func $a (param i32) (result i32) local.get 0 call $b) (func $b (param i32) (result i32) local.get 0 call $a) ${ENTRY})`,
    /recursion/,
    true,
  ],
];

describe("outside the profile", () => {
  test.each(refused)("%s", (_name, wat, message, place) => {
    const bytes = assemble(wat);
    const found = faults(bytes);
    expect(found.map((d) => d.code)).toContain("profile");
    expect(found.map((d) => d.message).join("\n")).toMatch(message);
    if (!place) return;
    const [first] = found.filter((d) => d.code === "profile");
    // the function by index, and a byte of the file within its body
    expect(first).toMatchObject({ function: expect.any(Number), offset: expect.any(Number) });
    expect(first!.offset).toBeGreaterThan(8);
    expect(first!.offset).toBeLessThan(bytes.length);
    expect(first!.message).toMatch(/func/);
  });

  test("the offset is that of the instruction", () => {
    const bytes = assemble(body("i32.const 1 drop i32.const 2 drop i32.const 3 memory.grow"));
    const [fault] = faults(bytes);
    expect([...bytes.subarray(fault!.offset, fault!.offset! + 2)]).toEqual([0x40, 0]);
  });
});

describe("identity", () => {
  const hash = (wat: string): string => hashProgram(orThrow(canonicalModule(assemble(wat)))).sha256;

  test("unused types and the order of types do not change a program, one constant does", () => {
    const a = hash(
      `(module (type (func (param i64))) (type (func (param i32) (result i32))) ${MEMORY} ${ENTRY})`,
    );
    expect(hash(`(module ${MEMORY} ${ENTRY})`)).toBe(a);
    expect(hash(`(module ${MEMORY} ${ENTRY.replace("i32.const 0", "i32.const 1")})`)).not.toBe(a);
  });

  test("names are for messages only", () => {
    expect(hash(body("i32.const 5").replaceAll("$entry", "$other"))).toBe(hash(body("i32.const 5")));
  });

  test("sign extension and bulk memory are inside", () => {
    expect(faults(assemble(body("local.get 0 i32.extend8_s")))).toEqual([]);
    expect(
      faults(
        assemble(
          body(
            "local.get 0 i32.const 1 i32.const 2 memory.copy local.get 0 i32.const 1 i32.const 2 memory.fill i32.const 0",
          ),
        ),
      ),
    ).toEqual([]);
  });
});
