/** Offload programs: code over an arena, with the immediates that only a loader knows. */
import { LinuxError } from "../errors.ts";
import { Arena } from "./arena.ts";
import type { BpfFunction } from "./btf.ts";
import { BPF_F_SLEEPABLE, BPF_PROG_TYPE } from "./constants.ts";
import { BpfProgram } from "./program.ts";
import { type BpfRelocation, relocate } from "./relocate.ts";

/** Code of an offload program. */
export interface OffloadCode {
  readonly name: string;
  /** Instructions, 8 bytes each; not changed. */
  readonly text: Uint8Array;
  readonly relocations: readonly BpfRelocation[];
  readonly functions: readonly BpfFunction[];
}

/** A program with its memory. */
export interface LoadedOffload {
  readonly arena: Arena;
  readonly program: BpfProgram;
  close(): void;
}

/**
 * Make an arena and load the program over it.
 * @param limit - bytes of memory the program may reach, a multiple of 4096 up to 2 GiB
 * @param control - bytes behind the limit that its first function uses, a multiple of 4096
 * @returns both, owned by the caller; throws BpfVerifierError or LinuxError, and leaves nothing behind
 */
export function loadOffload(code: OffloadCode, limit: number, control: number): LoadedOffload {
  if (!(limit >= 1 << 20 && limit <= 2 ** 31))
    throw new LinuxError(
      "EINVAL",
      `offload ${code.name}: a limit of ${limit} bytes, 1 MiB to 2 GiB is possible`,
      {
        limit,
      },
    );
  const arena = new Arena(limit + control, code.name);
  try {
    const program = new BpfProgram({
      type: BPF_PROG_TYPE.SYSCALL,
      name: code.name,
      text: relocate(code.text, code.relocations, { arena: arena.fd, limit }),
      flags: BPF_F_SLEEPABLE,
      functions: code.functions,
    });
    return {
      arena,
      program,
      close: () => {
        program.close();
        arena.close();
      },
    };
  } catch (error) {
    arena.close();
    throw error;
  }
}
