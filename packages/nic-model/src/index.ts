/**
 * A programmable NIC and its driver.
 *
 * ```text
 * driver → descriptor → device (npu or fixed function) → wire → device → completion → driver
 * ```
 *
 * @packageDocumentation
 */
export { NicError, type NicErrorCode } from "./errors.ts";
export { Npu, type NpuCounters, type NpuOptions, type NpuRefusal, type NpuRun } from "./npu.ts";
