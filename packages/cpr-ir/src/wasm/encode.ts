/** A module to bytes, each number in its shortest form, sections in order, no custom sections. */
import { OPCODES } from "./opcode.ts";
import { I32, type Instruction, type WasmFunction, type WasmModule } from "./types.ts";

/** Growing bytes. */
export class ByteWriter {
  #bytes: Uint8Array = new Uint8Array(256);
  #length = 0;

  u8(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Unsigned LEB128, shortest. */
  u32(value: number): this {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    return this.u8(rest);
  }

  /** Signed LEB128, shortest. */
  signed(value: bigint): this {
    let rest = value;
    for (;;) {
      const byte = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0)) return this.u8(byte);
      this.u8(byte | 0x80);
    }
  }

  name(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.u32(bytes.length).raw(bytes);
  }

  /** A length in front of what `body` writes. */
  sized(body: (inner: ByteWriter) => void): this {
    const inner = new ByteWriter();
    body(inner);
    const bytes = inner.finish();
    return this.u32(bytes.length).raw(bytes);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(n: number): void {
    if (this.#length + n <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + n));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Encode a module. */
export function encodeModule(module: WasmModule): Uint8Array {
  const w = new ByteWriter().raw(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  const section = (id: number, count: number, body: (inner: ByteWriter) => void): void => {
    if (count > 0)
      w.u8(id).sized((inner) => {
        inner.u32(count);
        body(inner);
      });
  };
  section(1, module.types.length, (s) => {
    for (const type of module.types) {
      s.u8(0x60).u32(type.params.length);
      for (const p of type.params) s.u8(p);
      s.u32(type.results.length);
      for (const r of type.results) s.u8(r);
    }
  });
  section(2, module.imports.length + (module.memory === null ? 0 : 1), (s) => {
    if (module.memory !== null) {
      s.name("env").name("memory").u8(2);
      if (module.memory.maximum === null) s.u8(0).u32(module.memory.initial);
      else s.u8(1).u32(module.memory.initial).u32(module.memory.maximum);
    }
    for (const i of module.imports) s.name(i.module).name(i.name).u8(0).u32(i.type);
  });
  section(3, module.functions.length, (s) => {
    for (const f of module.functions) s.u32(f.type);
  });
  section(6, module.globals.length, (s) => {
    for (const g of module.globals)
      s.u8(g.type)
        .u8(g.mutable ? 1 : 0)
        .u8(g.type === I32 ? 0x41 : 0x42)
        .signed(g.init)
        .u8(0x0b);
  });
  section(7, module.exports.length, (s) => {
    for (const e of module.exports) s.name(e.name).u8(0).u32(e.index);
  });
  section(10, module.functions.length, (s) => {
    for (const f of module.functions) s.sized((body) => writeBody(body, f));
  });
  // active segments alone need no data count: no instruction of the profile refers to one
  section(11, module.data.length, (s) => {
    for (const d of module.data)
      s.u8(0)
        .u8(0x41)
        .signed(BigInt(d.address | 0))
        .u8(0x0b)
        .u32(d.bytes.length)
        .raw(d.bytes);
  });
  return w.finish();
}

function writeBody(w: ByteWriter, fn: WasmFunction): void {
  const groups: [number, number][] = [];
  for (const type of fn.locals) {
    const last = groups[groups.length - 1];
    if (last !== undefined && last[1] === type) last[0]++;
    else groups.push([1, type]);
  }
  w.u32(groups.length);
  for (const [n, type] of groups) w.u32(n).u8(type);
  for (const instruction of fn.body) writeInstruction(w, instruction);
}

function writeInstruction(w: ByteWriter, i: Instruction): void {
  if (i.op >= 0xfc00) w.u8(0xfc).u32(i.op - 0xfc00);
  else w.u8(i.op);
  switch (OPCODES.get(i.op)!.immediate) {
    case "none":
      return;
    case "block":
      w.u8(i.a);
      return;
    case "i32":
      w.signed(BigInt(i.a));
      return;
    case "i64":
      w.signed(i.imm64!);
      return;
    case "memory":
      w.u32(i.a).u32(i.b);
      return;
    case "table":
      w.u32(i.table!.length - 1);
      for (const depth of i.table!) w.u32(depth);
      return;
    case "copy":
      w.u8(0).u8(0);
      return;
    case "fill":
      w.u8(0);
      return;
    default:
      w.u32(i.a);
  }
}
