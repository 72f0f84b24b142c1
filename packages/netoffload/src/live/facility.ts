/** What the live kernel lacks becomes exit code 3, with how to get it. */
import { LinuxError } from "@netoffload/linux";
import { facilityError } from "../cli/exit.ts";
import { VerifierRefusal } from "./kernel-program.ts";

/** Run what needs bpf(2). A refusal by the verifier is no lack, and passes as it is. */
export function needsBpf<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof LinuxError) || error instanceof VerifierRefusal) throw error;
    throw facilityError(
      `bpf(2): ${error.message}\nrun as root on Linux 6.9 or later; see: netoffload live status`,
    );
  }
}
