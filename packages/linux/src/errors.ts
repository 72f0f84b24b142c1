import { OffloadError } from "@netoffload/internal";
import { errnoName } from "./errno.ts";

/**
 * A system call that failed, or a facility this machine lacks. `code` is the kernel's errno name (`EPERM`), with
 * `errno` its number; or `unsupported`: not Linux, no koffi, or an architecture whose numbers are not known here.
 */
export class LinuxError extends OffloadError {}

/**
 * Turn a result of {@link Libc} into a value or an error.
 * @param result - 0 or positive: success; negative: an errno, negated
 * @param what - operation and object, for the message
 * @returns `result`; throws {@link LinuxError} where it is negative
 */
export function ok(
  result: number,
  what: string,
  details: Readonly<Record<string, number | string>> = {},
): number {
  if (result >= 0) return result;
  const code = errnoName(-result);
  throw new LinuxError(code, `${what}: ${code}`, details, { errno: -result });
}
