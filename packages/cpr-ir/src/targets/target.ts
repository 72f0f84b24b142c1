/** What every target of parsers offers. */
import type { Result } from "../diagnostics.ts";
import type { Parser } from "../ir/types.ts";

/**
 * A compiler of parsers. It takes a resolved parser as it is (passes of its own never change the hash) and
 * either gives code that behaves as the interpreter does on every packet, or says what does not fit and where.
 */
export interface Target<Output> {
  readonly name: "wasm" | "ebpf" | "xdp" | "tcam" | "p4";
  compile(parser: Parser): Result<Output>;
}
