/**
 * Network offloads provably equal to the Linux kernel: the pieces behind the command line.
 *
 * @packageDocumentation
 */
export { type ExecAnswer, type ExecCompletion, ExecDevice, type ExecFault } from "./exec-device.ts";
export {
  mergeReports,
  NOT_APPLICABLE,
  type NotApplicable,
  type OffloadReport,
  parseReport,
  type VerifyReport,
} from "./report.ts";
