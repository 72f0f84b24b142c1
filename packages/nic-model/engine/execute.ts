// The NPU's cores: a loop over decoded instructions. Registers, counters, frames and device memory lie in the
// engine's linear memory; a program can reach nothing but the window and its own frames.
import {
  CONFIG, COUNTERS, FRAMES, FRAME_BYTES, MAX_FRAMES, PROGRAMS, REGISTERS, STACKS, STACK_BYTES, WINDOW, limit,
} from "./layout";
import * as op from "./ops";
import { runUnit } from "./units";

export const TRAP_OUT_OF_BOUNDS: u32 = 3;
export const TRAP_BUDGET: u32 = 5;

// @ts-ignore: decorator
@inline
function get(at: u32): u64 {
  return load<u64>(REGISTERS + <usize>at);
}

// @ts-ignore: decorator
@inline
function set(at: u32, value: u64): void {
  store<u64>(REGISTERS + <usize>at, value);
}

/** Keep r6 to r9 and the way back. */
function pushFrame(depth: u32, back: u32): void {
  const frame = FRAMES + <usize>depth * FRAME_BYTES;
  store<u32>(frame, back);
  for (let r: usize = 6; r <= 9; r++) store<u64>(frame + r * 8 - 40, load<u64>(REGISTERS + r * 8));
}

function popFrame(depth: u32): u32 {
  const frame = FRAMES + <usize>depth * FRAME_BYTES;
  for (let r: usize = 6; r <= 9; r++) store<u64>(REGISTERS + r * 8, load<u64>(frame + r * 8 - 40));
  return load<u32>(frame);
}

/**
 * Run decoded code from `first`; r1.. hold the arguments, r0 the result afterwards.
 * @param budget - instructions; retired ones are counted exactly, the watchdog bites at jumps and calls
 * @returns the trap code, 0: none
 */
function execute(first: u32, budget: u32): u32 {
  const memory = limit();
  let pc: usize = first;
  let left: i64 = budget;
  let depth: u32 = 0;
  let stack: usize = STACKS;
  let trap: u32 = 0;
  for (;;) {
    left--;
    const d = <u32>load<u8>(pc, 1);
    switch (<u32>load<u8>(pc)) {
      case op.ADD_X: {
        set(d, get(d) + get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.ADD_X + op.WIDE: {
        set(d, <u64>(<u32>get(d) + <u32>get(<u32>load<u8>(pc, 2))));
        pc += 16;
        continue;
      }
      case op.ADD_K: {
        set(d, get(d) + load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.ADD_K + op.WIDE: {
        set(d, <u64>(<u32>get(d) + <u32>load<u64>(pc, 8)));
        pc += 16;
        continue;
      }
      case op.SUB_X: {
        set(d, get(d) - get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.SUB_X + op.WIDE: {
        set(d, <u64>(<u32>get(d) - <u32>get(<u32>load<u8>(pc, 2))));
        pc += 16;
        continue;
      }
      case op.SUB_K: {
        set(d, get(d) - load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.SUB_K + op.WIDE: {
        set(d, <u64>(<u32>get(d) - <u32>load<u64>(pc, 8)));
        pc += 16;
        continue;
      }
      case op.MUL_X: {
        set(d, get(d) * get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.MUL_X + op.WIDE: {
        set(d, <u64>(<u32>get(d) * <u32>get(<u32>load<u8>(pc, 2))));
        pc += 16;
        continue;
      }
      case op.MUL_K: {
        set(d, get(d) * load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.MUL_K + op.WIDE: {
        set(d, <u64>(<u32>get(d) * <u32>load<u64>(pc, 8)));
        pc += 16;
        continue;
      }
      case op.OR_X: {
        set(d, get(d) | get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.OR_X + op.WIDE: {
        set(d, <u64>(<u32>get(d) | <u32>get(<u32>load<u8>(pc, 2))));
        pc += 16;
        continue;
      }
      case op.OR_K: {
        set(d, get(d) | load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.OR_K + op.WIDE: {
        set(d, <u64>(<u32>get(d) | <u32>load<u64>(pc, 8)));
        pc += 16;
        continue;
      }
      case op.AND_X: {
        set(d, get(d) & get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.AND_X + op.WIDE: {
        set(d, <u64>(<u32>get(d) & <u32>get(<u32>load<u8>(pc, 2))));
        pc += 16;
        continue;
      }
      case op.AND_K: {
        set(d, get(d) & load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.AND_K + op.WIDE: {
        set(d, <u64>(<u32>get(d) & <u32>load<u64>(pc, 8)));
        pc += 16;
        continue;
      }
      case op.XOR_X: {
        set(d, get(d) ^ get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.XOR_X + op.WIDE: {
        set(d, <u64>(<u32>get(d) ^ <u32>get(<u32>load<u8>(pc, 2))));
        pc += 16;
        continue;
      }
      case op.XOR_K: {
        set(d, get(d) ^ load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.XOR_K + op.WIDE: {
        set(d, <u64>(<u32>get(d) ^ <u32>load<u64>(pc, 8)));
        pc += 16;
        continue;
      }
      case op.LSH_X: {
        set(d, get(d) << get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.LSH_X + op.WIDE: {
        set(d, <u64>(<u32>get(d) << <u32>get(<u32>load<u8>(pc, 2))));
        pc += 16;
        continue;
      }
      case op.LSH_K: {
        set(d, get(d) << load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.LSH_K + op.WIDE: {
        set(d, <u64>(<u32>get(d) << <u32>load<u64>(pc, 8)));
        pc += 16;
        continue;
      }
      case op.RSH_X: {
        set(d, get(d) >> get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.RSH_X + op.WIDE: {
        set(d, <u64>(<u32>get(d) >> <u32>get(<u32>load<u8>(pc, 2))));
        pc += 16;
        continue;
      }
      case op.RSH_K: {
        set(d, get(d) >> load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.RSH_K + op.WIDE: {
        set(d, <u64>(<u32>get(d) >> <u32>load<u64>(pc, 8)));
        pc += 16;
        continue;
      }
      case op.ARSH_X: {
        set(d, <u64>(<i64>get(d) >> <i64>get(<u32>load<u8>(pc, 2))));
        pc += 16;
        continue;
      }
      case op.ARSH_X + op.WIDE: {
        set(d, <u64><u32>(<i32>get(d) >> <i32>get(<u32>load<u8>(pc, 2))));
        pc += 16;
        continue;
      }
      case op.ARSH_K: {
        set(d, <u64>(<i64>get(d) >> <i64>load<u64>(pc, 8)));
        pc += 16;
        continue;
      }
      case op.ARSH_K + op.WIDE: {
        set(d, <u64><u32>(<i32>get(d) >> <i32>load<u64>(pc, 8)));
        pc += 16;
        continue;
      }
      case op.MOV_X: {
        set(d, get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.MOV_X + op.WIDE: {
        set(d, <u64><u32>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.MOV_K: {
        set(d, load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.MOV_K + op.WIDE: {
        set(d, <u64><u32>load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.NEG: {
        set(d, 0 - get(d));
        pc += 16;
        continue;
      }
      case op.NEG + op.WIDE: {
        set(d, <u64>(<u32>(0 - <u32>get(d))));
        pc += 16;
        continue;
      }
      case op.DIV_X: {
        const b = get(<u32>load<u8>(pc, 2));
        set(d, b ? get(d) / b : 0);
        pc += 16;
        continue;
      }
      case op.DIV_X + op.WIDE: {
        const b = <u32>get(<u32>load<u8>(pc, 2));
        set(d, b ? <u64>(<u32>get(d) / b) : 0);
        pc += 16;
        continue;
      }
      case op.MOD_X: {
        const b = get(<u32>load<u8>(pc, 2));
        if (b) set(d, get(d) % b);
        pc += 16;
        continue;
      }
      case op.MOD_X + op.WIDE: {
        const b = <u32>get(<u32>load<u8>(pc, 2));
        set(d, <u64>(b ? <u32>get(d) % b : <u32>get(d)));
        pc += 16;
        continue;
      }
      case op.SDIV_X: {
        const b = <i64>get(<u32>load<u8>(pc, 2));
        const a = <i64>get(d);
        set(d, b == 0 ? 0 : b == -1 ? <u64>(0 - a) : <u64>(a / b));
        pc += 16;
        continue;
      }
      case op.SDIV_X + op.WIDE: {
        const b = <i32>get(<u32>load<u8>(pc, 2));
        const a = <i32>get(d);
        set(d, <u64><u32>(b == 0 ? 0 : b == -1 ? 0 - a : a / b));
        pc += 16;
        continue;
      }
      case op.SMOD_X: {
        const b = <i64>get(<u32>load<u8>(pc, 2));
        const a = <i64>get(d);
        set(d, <u64>(b == 0 ? a : b == -1 ? 0 : a % b));
        pc += 16;
        continue;
      }
      case op.SMOD_X + op.WIDE: {
        const b = <i32>get(<u32>load<u8>(pc, 2));
        const a = <i32>get(d);
        set(d, <u64><u32>(b == 0 ? a : b == -1 ? 0 : a % b));
        pc += 16;
        continue;
      }
      case op.DIV_K: {
        const b = load<u64>(pc, 8);
        set(d, b ? get(d) / b : 0);
        pc += 16;
        continue;
      }
      case op.DIV_K + op.WIDE: {
        const b = <u32>load<u64>(pc, 8);
        set(d, b ? <u64>(<u32>get(d) / b) : 0);
        pc += 16;
        continue;
      }
      case op.MOD_K: {
        const b = load<u64>(pc, 8);
        if (b) set(d, get(d) % b);
        pc += 16;
        continue;
      }
      case op.MOD_K + op.WIDE: {
        const b = <u32>load<u64>(pc, 8);
        set(d, <u64>(b ? <u32>get(d) % b : <u32>get(d)));
        pc += 16;
        continue;
      }
      case op.SDIV_K: {
        const b = <i64>load<u64>(pc, 8);
        const a = <i64>get(d);
        set(d, b == 0 ? 0 : b == -1 ? <u64>(0 - a) : <u64>(a / b));
        pc += 16;
        continue;
      }
      case op.SDIV_K + op.WIDE: {
        const b = <i32>load<u64>(pc, 8);
        const a = <i32>get(d);
        set(d, <u64><u32>(b == 0 ? 0 : b == -1 ? 0 - a : a / b));
        pc += 16;
        continue;
      }
      case op.SMOD_K: {
        const b = <i64>load<u64>(pc, 8);
        const a = <i64>get(d);
        set(d, <u64>(b == 0 ? a : b == -1 ? 0 : a % b));
        pc += 16;
        continue;
      }
      case op.SMOD_K + op.WIDE: {
        const b = <i32>load<u64>(pc, 8);
        const a = <i32>get(d);
        set(d, <u64><u32>(b == 0 ? a : b == -1 ? 0 : a % b));
        pc += 16;
        continue;
      }
      case op.JEQ_X: {
        pc = <u64>get(d) == <u64>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JEQ_X + op.JUMP_WIDTH: {
        pc = <u32>get(d) == <u32>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JEQ_K: {
        pc = <u64>get(d) == <u64>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JEQ_K + op.JUMP_WIDTH: {
        pc = <u32>get(d) == <u32>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JGT_X: {
        pc = <u64>get(d) > <u64>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JGT_X + op.JUMP_WIDTH: {
        pc = <u32>get(d) > <u32>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JGT_K: {
        pc = <u64>get(d) > <u64>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JGT_K + op.JUMP_WIDTH: {
        pc = <u32>get(d) > <u32>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JGE_X: {
        pc = <u64>get(d) >= <u64>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JGE_X + op.JUMP_WIDTH: {
        pc = <u32>get(d) >= <u32>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JGE_K: {
        pc = <u64>get(d) >= <u64>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JGE_K + op.JUMP_WIDTH: {
        pc = <u32>get(d) >= <u32>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSET_X: {
        pc = (<u64>get(d) & <u64>get(<u32>load<u8>(pc, 2))) != 0 ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSET_X + op.JUMP_WIDTH: {
        pc = (<u32>get(d) & <u32>get(<u32>load<u8>(pc, 2))) != 0 ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSET_K: {
        pc = (<u64>get(d) & <u64>load<u64>(pc, 8)) != 0 ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSET_K + op.JUMP_WIDTH: {
        pc = (<u32>get(d) & <u32>load<u64>(pc, 8)) != 0 ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JNE_X: {
        pc = <u64>get(d) != <u64>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JNE_X + op.JUMP_WIDTH: {
        pc = <u32>get(d) != <u32>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JNE_K: {
        pc = <u64>get(d) != <u64>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JNE_K + op.JUMP_WIDTH: {
        pc = <u32>get(d) != <u32>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSGT_X: {
        pc = <i64>get(d) > <i64>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSGT_X + op.JUMP_WIDTH: {
        pc = <i32>get(d) > <i32>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSGT_K: {
        pc = <i64>get(d) > <i64>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSGT_K + op.JUMP_WIDTH: {
        pc = <i32>get(d) > <i32>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSGE_X: {
        pc = <i64>get(d) >= <i64>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSGE_X + op.JUMP_WIDTH: {
        pc = <i32>get(d) >= <i32>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSGE_K: {
        pc = <i64>get(d) >= <i64>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSGE_K + op.JUMP_WIDTH: {
        pc = <i32>get(d) >= <i32>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JLT_X: {
        pc = <u64>get(d) < <u64>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JLT_X + op.JUMP_WIDTH: {
        pc = <u32>get(d) < <u32>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JLT_K: {
        pc = <u64>get(d) < <u64>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JLT_K + op.JUMP_WIDTH: {
        pc = <u32>get(d) < <u32>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JLE_X: {
        pc = <u64>get(d) <= <u64>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JLE_X + op.JUMP_WIDTH: {
        pc = <u32>get(d) <= <u32>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JLE_K: {
        pc = <u64>get(d) <= <u64>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JLE_K + op.JUMP_WIDTH: {
        pc = <u32>get(d) <= <u32>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSLT_X: {
        pc = <i64>get(d) < <i64>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSLT_X + op.JUMP_WIDTH: {
        pc = <i32>get(d) < <i32>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSLT_K: {
        pc = <i64>get(d) < <i64>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSLT_K + op.JUMP_WIDTH: {
        pc = <i32>get(d) < <i32>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSLE_X: {
        pc = <i64>get(d) <= <i64>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSLE_X + op.JUMP_WIDTH: {
        pc = <i32>get(d) <= <i32>get(<u32>load<u8>(pc, 2)) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSLE_K: {
        pc = <i64>get(d) <= <i64>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JSLE_K + op.JUMP_WIDTH: {
        pc = <i32>get(d) <= <i32>load<u64>(pc, 8) ? <usize>load<u32>(pc, 4) : pc + 16;
        break;
      }
      case op.JA: {
        pc = <usize>load<u32>(pc, 4);
        break;
      }
      case op.CALL: {
        if (depth + 1 >= MAX_FRAMES) {
          trap = TRAP_BUDGET;
          break;
        }
        pushFrame(depth, <u32>pc + 16);
        depth++;
        stack += STACK_BYTES;
        pc = <usize>load<u32>(pc, 4);
        break;
      }
      case op.UNIT: {
        if (!runUnit(<u32>load<u64>(pc, 8))) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        pc += 16;
        continue;
      }
      case op.TRAP: {
        trap = <u32>get(8);
        if (trap == 0 || trap > TRAP_BUDGET) trap = TRAP_BUDGET;
        break;
      }
      case op.EXIT: {
        if (depth == 0) {
          count(budget, left);
          return 0;
        }
        depth--;
        stack -= STACK_BYTES;
        pc = <usize>popFrame(depth);
        break;
      }
      case op.LD8: {
        const at = get(<u32>load<u8>(pc, 2)) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 1) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        set(d, <u64>load<u8>(<usize>at + WINDOW));
        pc += 16;
        continue;
      }
      case op.LD8 + op.FRAME_ACCESS: {
        set(d, <u64>load<u8>(stack + <usize>load<u32>(pc, 4)));
        pc += 16;
        continue;
      }
      case op.LD16: {
        const at = get(<u32>load<u8>(pc, 2)) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 2) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        set(d, <u64>load<u16>(<usize>at + WINDOW));
        pc += 16;
        continue;
      }
      case op.LD16 + op.FRAME_ACCESS: {
        set(d, <u64>load<u16>(stack + <usize>load<u32>(pc, 4)));
        pc += 16;
        continue;
      }
      case op.LD32: {
        const at = get(<u32>load<u8>(pc, 2)) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 4) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        set(d, <u64>load<u32>(<usize>at + WINDOW));
        pc += 16;
        continue;
      }
      case op.LD32 + op.FRAME_ACCESS: {
        set(d, <u64>load<u32>(stack + <usize>load<u32>(pc, 4)));
        pc += 16;
        continue;
      }
      case op.LD64: {
        const at = get(<u32>load<u8>(pc, 2)) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 8) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        set(d, <u64>load<u64>(<usize>at + WINDOW));
        pc += 16;
        continue;
      }
      case op.LD64 + op.FRAME_ACCESS: {
        set(d, <u64>load<u64>(stack + <usize>load<u32>(pc, 4)));
        pc += 16;
        continue;
      }
      case op.LDS8: {
        const at = get(<u32>load<u8>(pc, 2)) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 1) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        set(d, <u64><i64>load<i8>(<usize>at + WINDOW));
        pc += 16;
        continue;
      }
      case op.LDS8 + op.FRAME_ACCESS: {
        set(d, <u64><i64>load<i8>(stack + <usize>load<u32>(pc, 4)));
        pc += 16;
        continue;
      }
      case op.LDS16: {
        const at = get(<u32>load<u8>(pc, 2)) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 2) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        set(d, <u64><i64>load<i16>(<usize>at + WINDOW));
        pc += 16;
        continue;
      }
      case op.LDS16 + op.FRAME_ACCESS: {
        set(d, <u64><i64>load<i16>(stack + <usize>load<u32>(pc, 4)));
        pc += 16;
        continue;
      }
      case op.LDS32: {
        const at = get(<u32>load<u8>(pc, 2)) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 4) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        set(d, <u64><i64>load<i32>(<usize>at + WINDOW));
        pc += 16;
        continue;
      }
      case op.LDS32 + op.FRAME_ACCESS: {
        set(d, <u64><i64>load<i32>(stack + <usize>load<u32>(pc, 4)));
        pc += 16;
        continue;
      }
      case op.ST8_X: {
        const at = get(d) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 1) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        store<u8>(<usize>at + WINDOW, <u8>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.ST8_X + op.FRAME_ACCESS: {
        store<u8>(stack + <usize>load<u32>(pc, 4), <u8>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.ST16_X: {
        const at = get(d) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 2) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        store<u16>(<usize>at + WINDOW, <u16>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.ST16_X + op.FRAME_ACCESS: {
        store<u16>(stack + <usize>load<u32>(pc, 4), <u16>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.ST32_X: {
        const at = get(d) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 4) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        store<u32>(<usize>at + WINDOW, <u32>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.ST32_X + op.FRAME_ACCESS: {
        store<u32>(stack + <usize>load<u32>(pc, 4), <u32>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.ST64_X: {
        const at = get(d) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 8) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        store<u64>(<usize>at + WINDOW, <u64>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.ST64_X + op.FRAME_ACCESS: {
        store<u64>(stack + <usize>load<u32>(pc, 4), <u64>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.ST8_K: {
        const at = get(d) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 1) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        store<u8>(<usize>at + WINDOW, <u8>load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.ST8_K + op.FRAME_ACCESS: {
        store<u8>(stack + <usize>load<u32>(pc, 4), <u8>load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.ST16_K: {
        const at = get(d) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 2) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        store<u16>(<usize>at + WINDOW, <u16>load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.ST16_K + op.FRAME_ACCESS: {
        store<u16>(stack + <usize>load<u32>(pc, 4), <u16>load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.ST32_K: {
        const at = get(d) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 4) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        store<u32>(<usize>at + WINDOW, <u32>load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.ST32_K + op.FRAME_ACCESS: {
        store<u32>(stack + <usize>load<u32>(pc, 4), <u32>load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.ST64_K: {
        const at = get(d) + <u64><i64>load<i32>(pc, 4);
        if (at > memory - 8) {
          trap = TRAP_OUT_OF_BOUNDS;
          break;
        }
        store<u64>(<usize>at + WINDOW, <u64>load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.ST64_K + op.FRAME_ACCESS: {
        store<u64>(stack + <usize>load<u32>(pc, 4), <u64>load<u64>(pc, 8));
        pc += 16;
        continue;
      }
      case op.MOVSX8: {
        set(d, <u64><i64><i8>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.MOVSX16: {
        set(d, <u64><i64><i16>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.MOVSX32: {
        set(d, <u64><i64><i32>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.MOVSX8_4: {
        set(d, <u64><u32><i32><i8>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.MOVSX16_4: {
        set(d, <u64><u32><i32><i16>get(<u32>load<u8>(pc, 2)));
        pc += 16;
        continue;
      }
      case op.BSWAP16: {
        set(d, <u64>bswap<u16>(<u16>get(d)));
        pc += 16;
        continue;
      }
      case op.BSWAP32: {
        set(d, <u64>bswap<u32>(<u32>get(d)));
        pc += 16;
        continue;
      }
      case op.BSWAP64: {
        set(d, bswap<u64>(get(d)));
        pc += 16;
        continue;
      }
      case op.LDDW: {
        set(d, load<u64>(pc, 8));
        pc += 32;
        continue;
      }
      default:
        // the decoder lets nothing else through
        trap = TRAP_OUT_OF_BOUNDS;
    }
    // jumps, calls and traps come here: a program that does not end does one of them
    if (trap) break;
    if (left <= 0) {
      trap = TRAP_BUDGET;
      break;
    }
  }
  count(budget, left);
  return trap;
}

function count(budget: u32, left: i64): void {
  store<u64>(COUNTERS, load<u64>(COUNTERS) + 1);
  store<u64>(COUNTERS, load<u64>(COUNTERS, 8) + <u64>(<i64>budget - left), 8);
  store<u32>(CONFIG + 24, <u32>(<i64>budget - left));
}

/** Run the program of function `fn` in bundle slot `slot`; arguments are in r1..r5. @returns the trap code */
export function runProgram(slot: u32, fn: u32): u32 {
  const first = load<u32>(PROGRAMS + (<usize>slot * 16 + <usize>fn) * 8);
  const trap = execute(first, load<u32>(CONFIG + 8));
  const counter = COUNTERS + 32 + <usize>trap * 8;
  store<u64>(counter, load<u64>(counter) + 1);
  // the trap cell of the function's static region
  if (fn < 15) store<u32>(WINDOW + 0x10000 + 0x10000 * <usize>fn, trap);
  return trap;
}
