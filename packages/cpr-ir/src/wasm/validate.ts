/**
 * The validation of the WebAssembly specification (its appendix algorithm) over a decoded module: compilers may
 * trust every index, type and stack height afterwards.
 */
import type { Diagnostic } from "../diagnostics.ts";
import { OPCODES } from "./opcode.ts";
import {
  type BlockType,
  functionLabel,
  I32,
  type Instruction,
  typeOf,
  type ValType,
  type WasmFunction,
  type WasmModule,
} from "./types.ts";

/** A value type or, in unreachable code, anything. */
type Operand = ValType | null;

interface Frame {
  readonly op: number;
  readonly result: BlockType;
  readonly height: number;
  unreachable: boolean;
}

class Invalid extends Error {}

/** Functions reported at most; more say nothing more. */
const MAX_FAULTS = 100;

/** All functions' faults, the first of each. */
export function validateModule(module: WasmModule): Diagnostic[] {
  const faults: Diagnostic[] = [];
  for (const [i, fn] of module.functions.entries()) {
    const index = module.imports.length + i;
    const checker = new Checker(module, fn);
    const fault = checker.run();
    if (faults.length === MAX_FAULTS) break;
    if (fault !== null)
      faults.push({
        code: "validation",
        function: index,
        offset: fault.offset,
        message: `${functionLabel(module, index)}, byte ${fault.offset}: ${fault.message}`,
      });
  }
  return faults;
}

class Checker {
  readonly #module: WasmModule;
  readonly #fn: WasmFunction;
  readonly #locals: readonly ValType[];
  readonly #result: BlockType;
  readonly #stack: Operand[] = [];
  readonly #frames: Frame[] = [];

  constructor(module: WasmModule, fn: WasmFunction) {
    this.#module = module;
    this.#fn = fn;
    const type = module.types[fn.type]!;
    this.#locals = [...type.params, ...fn.locals];
    this.#result = type.results[0] ?? 0x40;
  }

  run(): { offset: number; message: string } | null {
    this.#frames.push({ op: 0x02, result: this.#result, height: 0, unreachable: false });
    for (const instruction of this.#fn.body) {
      try {
        this.#step(instruction);
      } catch (error) {
        if (!(error instanceof Invalid)) throw error;
        return {
          offset: instruction.offset,
          message: `${OPCODES.get(instruction.op)!.name}: ${error.message}`,
        };
      }
    }
    return null;
  }

  #step(i: Instruction): void {
    const row = OPCODES.get(i.op)!;
    if (row.pops !== null && row.pushes !== null) {
      if (
        (row.immediate === "memory" || row.immediate === "copy" || row.immediate === "fill") &&
        this.#module.memory === null
      )
        throw new Invalid("there is no memory");
      for (let n = row.pops.length - 1; n >= 0; n--) this.#pop(row.pops[n]!);
      for (const type of row.pushes) this.#stack.push(type);
      return;
    }
    switch (row.name) {
      case "unreachable":
        this.#unreachable();
        return;
      case "block":
      case "loop":
        this.#frames.push({
          op: i.op,
          result: i.a as BlockType,
          height: this.#stack.length,
          unreachable: false,
        });
        return;
      case "if":
        this.#pop(I32);
        this.#frames.push({
          op: i.op,
          result: i.a as BlockType,
          height: this.#stack.length,
          unreachable: false,
        });
        return;
      case "else": {
        const frame = this.#close();
        if (frame.op !== 0x04) throw new Invalid("no if is open");
        this.#frames.push({ op: 0x05, result: frame.result, height: frame.height, unreachable: false });
        return;
      }
      case "end": {
        const frame = this.#close();
        if (frame.op === 0x04 && frame.result !== 0x40)
          throw new Invalid("an if with a result needs an else");
        if (frame.result !== 0x40) this.#stack.push(frame.result);
        return;
      }
      case "br":
        this.#popLabel(this.#label(i.a));
        this.#unreachable();
        return;
      case "br_if": {
        this.#pop(I32);
        const label = this.#label(i.a);
        this.#popLabel(label);
        if (label !== 0x40) this.#stack.push(label);
        return;
      }
      case "br_table": {
        this.#pop(I32);
        const depths = i.table!;
        const label = this.#label(depths[depths.length - 1]!);
        for (const depth of depths) {
          const other = this.#label(depth);
          if ((other === 0x40) !== (label === 0x40)) throw new Invalid("targets carry different numbers");
          // in unreachable code one operand of any type may serve targets of different types
          if (other !== 0x40) this.#stack.push(this.#popType(other));
        }
        this.#popLabel(label);
        this.#unreachable();
        return;
      }
      case "return":
        this.#popLabel(this.#result);
        this.#unreachable();
        return;
      case "call": {
        const total = this.#module.imports.length + this.#module.functions.length;
        if (i.a >= total) throw new Invalid(`function ${i.a} of ${total}`);
        const type = typeOf(this.#module, i.a);
        // below an unreachable frame's floor every operand is there: stop, or calls could cost their square
        for (let n = type.params.length - 1; n >= 0 && !this.#bottomless(); n--) this.#pop(type.params[n]!);
        for (const result of type.results) this.#stack.push(result);
        return;
      }
      case "drop":
        this.#popAny();
        return;
      case "select": {
        this.#pop(I32);
        const second = this.#popAny();
        const first = this.#popAny();
        if (first !== null && second !== null && first !== second)
          throw new Invalid("operands differ in type");
        this.#stack.push(first ?? second);
        return;
      }
      case "local.get":
        this.#stack.push(this.#local(i.a));
        return;
      case "local.set":
        this.#pop(this.#local(i.a));
        return;
      case "local.tee":
        this.#pop(this.#local(i.a));
        this.#stack.push(this.#local(i.a));
        return;
      case "global.get":
      case "global.set": {
        const global = this.#module.globals[i.a];
        if (global === undefined) throw new Invalid(`global ${i.a} of ${this.#module.globals.length}`);
        if (row.name === "global.get") this.#stack.push(global.type);
        else if (!global.mutable) throw new Invalid(`global ${i.a} is immutable`);
        else this.#pop(global.type);
        return;
      }
    }
  }

  #local(index: number): ValType {
    const type = this.#locals[index];
    if (type === undefined) throw new Invalid(`local ${index} of ${this.#locals.length}`);
    return type;
  }

  #popAny(): Operand {
    const frame = this.#frames[this.#frames.length - 1]!;
    if (this.#stack.length === frame.height) {
      if (frame.unreachable) return null;
      throw new Invalid("operand is missing");
    }
    return this.#stack.pop()!;
  }

  #pop(type: ValType): void {
    this.#popType(type);
  }

  /** The operand itself: in unreachable code it stays without a type. */
  #popType(type: ValType): Operand {
    const got = this.#popAny();
    if (got !== null && got !== type)
      throw new Invalid(
        `operand is ${got === I32 ? "i32" : "i64"}, ${type === I32 ? "i32" : "i64"} is needed`,
      );
    return got;
  }

  #bottomless(): boolean {
    const frame = this.#frames[this.#frames.length - 1]!;
    return frame.unreachable && this.#stack.length === frame.height;
  }

  #popLabel(result: BlockType): void {
    if (result !== 0x40) this.#pop(result);
  }

  /** What a branch to this label carries: nothing to a loop, else the block's result. */
  #label(depth: number): BlockType {
    const frame = this.#frames[this.#frames.length - 1 - depth];
    if (frame === undefined) throw new Invalid(`depth ${depth} of ${this.#frames.length}`);
    return frame.op === 0x03 ? 0x40 : frame.result;
  }

  #close(): Frame {
    const frame = this.#frames[this.#frames.length - 1]!;
    this.#popLabel(frame.result);
    if (this.#stack.length !== frame.height)
      throw new Invalid(`${this.#stack.length - frame.height} values are left over`);
    this.#frames.pop();
    return frame;
  }

  #unreachable(): void {
    const frame = this.#frames[this.#frames.length - 1]!;
    this.#stack.length = frame.height;
    frame.unreachable = true;
  }
}
