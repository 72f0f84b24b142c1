/** Many short sums in one call into WebAssembly. */
import { base64ToBytes } from "@netoffload/internal";
import { type Memory, simdSupported } from "@netoffload/skbuff";
import { BATCH_SCALAR_WASM } from "./generated/batch-scalar.ts";
import { BATCH_SIMD_WASM } from "./generated/batch-simd.ts";

type Batch = (ranges: number, sums: number, count: number) => void;

let compiled: WebAssembly.Module | undefined;
const instances: WeakMap<Memory, Batch> = /* @__PURE__ */ new WeakMap();

function bind(memory: Memory): Batch {
  compiled ??= new WebAssembly.Module(base64ToBytes(simdSupported() ? BATCH_SIMD_WASM : BATCH_SCALAR_WASM));
  const instance = new WebAssembly.Instance(compiled, { env: { memory: memory.wasm } });
  const batch = instance.exports.csum_batch as Batch;
  instances.set(memory, batch);
  return batch;
}

/**
 * {@link csumPartial} of many ranges: the call costs once what it costs for one. Nothing is allocated.
 * @param memory - whose bytes are meant
 * @param ranges - address of `count` pairs {u32 address, u32 length in bytes}, little endian, 4-aligned
 * @param sums - address of `count` u32, 4-aligned: on entry the seeds, on return the canonical sums
 * @param count - of ranges
 */
export function csumPartialBatch(memory: Memory, ranges: number, sums: number, count: number): void {
  (instances.get(memory) ?? bind(memory))(ranges, sums, count);
}
