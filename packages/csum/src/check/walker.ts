/** The walker's module bound to a memory: a private one for single packets, or the library's. */
import { base64ToBytes } from "@netoffload/internal";
import { CHECK_WASM } from "../generated/check.ts";
import { CRC_WASM } from "../generated/crc.ts";
import { SUM_SCALAR_WASM } from "../generated/sum-scalar.ts";
import { SUM_SIMD_WASM } from "../generated/sum-simd.ts";

/** Exports of check/walk.ts. Numbers are u32; addresses come back signed: use `>>> 0`. */
export interface WalkerExports {
  area_size(): number;
  setup(area: number): void;
  records(): number;
  count(): number;
  stopped(): number;
  udp_encap(port: number, kind: number): number;
  frag_setup(base: number, bytes: number): number;
  check(frame: number, captured: number, wire: number, linkType: number, time: number): number;
  check_batch(frames: number, count: number, results: number, into: number, bytes: number): number;
  fix(frame: number, captured: number, wire: number, linkType: number, time: number, all: number): number;
}

/** What the walker imports. */
export interface WalkerAccel {
  csum_partial(ptr: number, len: number, sum: number): number;
  crc32c(ptr: number, len: number, crc: number): number;
}

let compiled: WebAssembly.Module | undefined;

/** Bind the walker to a memory and its units. */
export function instantiateWalker(memory: WebAssembly.Memory, accel: WalkerAccel): WalkerExports {
  compiled ??= new WebAssembly.Module(base64ToBytes(CHECK_WASM));
  const { csum_partial, crc32c } = accel;
  const imports = { env: { memory }, accel1: { csum_partial, crc32c } };
  return new WebAssembly.Instance(compiled, imports).exports as unknown as WalkerExports;
}

/** The two units in a memory of one's own, by SIMD where there is any. The CRC's tables end at 0x1_3000. */
export function privateAccel(memory: WebAssembly.Memory): WalkerAccel {
  const env = { env: { memory } };
  const simd = base64ToBytes(SUM_SIMD_WASM);
  const sum = WebAssembly.validate(simd) ? simd : base64ToBytes(SUM_SCALAR_WASM);
  const { csum_partial } = new WebAssembly.Instance(new WebAssembly.Module(sum), env)
    .exports as unknown as WalkerAccel;
  const crc = new WebAssembly.Instance(new WebAssembly.Module(base64ToBytes(CRC_WASM)), env)
    .exports as unknown as WalkerAccel & { init(): void };
  crc.init();
  return { csum_partial, crc32c: crc.crc32c };
}
