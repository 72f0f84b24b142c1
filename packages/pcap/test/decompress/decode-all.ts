import { type Decoder, ENDED, FAULT, NEED_INPUT } from "../../src/decompress/decoder.ts";
import { concat } from "../build.ts";

export interface Decoded {
  plain: Uint8Array;
  fault: { code: string; message: string; at: number } | null;
}

/** Run a decoder over `packed`, input and output in pieces of the given sizes, the last of each repeated. */
export function decodeAll(
  decoder: Decoder,
  packed: Uint8Array,
  inputs: readonly number[],
  outputs: readonly number[],
): Decoded {
  const parts: Uint8Array[] = [];
  let at = 0;
  let given = 0;
  for (let step = 0; ; step++) {
    if (step > 20 * packed.length + 10_000_000) throw new Error("the decoder does not come to an end");
    const size = outputs[Math.min(step, outputs.length - 1)]!;
    const output = new Uint8Array(size + 8).fill(0xa5);
    const status = decoder.decode(packed, at, given, given === packed.length, output, 4, 4 + size);
    at += decoder.taken;
    parts.push(output.slice(4, 4 + decoder.produced));
    for (let i = 0; i < 4; i++)
      if (output[i] !== 0xa5 || output[4 + size + i] !== 0xa5) throw new Error("written outside the output");
    if (status === ENDED) return { plain: concat(...parts), fault: null };
    if (status === FAULT) {
      const { faultCode: code, faultMessage: message, faultAt } = decoder;
      return { plain: concat(...parts), fault: { code, message, at: faultAt } };
    }
    if (status === NEED_INPUT) {
      if (at !== given) throw new Error("input left over");
      if (given === packed.length) throw new Error("asks for input after the end");
      given = Math.min(packed.length, given + inputs[Math.min(step, inputs.length - 1)]!);
    }
  }
}
