/** The kernel's side: the chosen programs on this CPU. */
import { instantiateProgram, trapOf } from "@netoffload/cpr-ir";
import { type HostPrograms, hostPrograms } from "@netoffload/csum";
import { ERRNO } from "@netoffload/devlink";
import type { Memory } from "@netoffload/skbuff";
import { usageError } from "../cli/exit.ts";
import { type Program, shippedPrograms } from "../programs.ts";

/**
 * Bind the kernel's programs to a memory. A program that traps gives -EIO.
 * @param noAccel - plain loops in place of the CPU's acceleration units
 */
export function kernelPrograms(memory: Memory, programs: readonly Program[], noAccel: boolean): HostPrograms {
  const shipped = hostPrograms(memory);
  const entry = (name: string, otherwise: (skb: number) => number): ((skb: number) => number) => {
    const program = programs.find((p) => p.name === name);
    if (program === undefined) return otherwise;
    const current = shippedPrograms().some((p) => p.sha256 === program.sha256);
    return current && !noAccel ? otherwise : bound(memory, program, noAccel);
  };
  return { txCsum: entry("tx_csum", shipped.txCsum), rxCsum: entry("rx_csum", shipped.rxCsum) };
}

function bound(memory: Memory, program: Program, noAccel: boolean): (skb: number) => number {
  const made = instantiateProgram(program.ir, memory, {
    functionNumber: program.functionNumber,
    accel: noAccel ? "loops" : "simd",
  });
  if (!made.ok) throw usageError(made.diagnostics.map((d) => `${program.source}: ${d.message}`).join("\n"));
  const { entry, params } = made.value;
  if (params !== 1)
    throw usageError(`${program.source}: ${program.name} takes one argument, this takes ${params}`);
  return (skb) => {
    try {
      return entry(skb);
    } catch (error) {
      if (trapOf(error) === null) throw error;
      return -ERRNO.EIO;
    }
  };
}
