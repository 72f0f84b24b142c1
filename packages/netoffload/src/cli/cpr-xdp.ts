/** The xdp target of `cpr run`: the parser as an XDP program, run by the kernel on bytes. */
import { compileXdp, type Parser, TARGET } from "@netoffload/cpr-ir";
import { needsBpf } from "../live/facility.ts";
import { XdpParser } from "../live/kernel-parser.ts";
import { usageError } from "./exit.ts";

/** A parser in the running kernel, for frames of a length that it runs; it is unloaded when the process ends. */
export function xdpRunner(
  parser: Parser,
): (frame: Uint8Array, keys: Uint32Array, start: number) => XdpParser {
  const compiled = compileXdp(parser);
  if (!compiled.ok) throw usageError(compiled.diagnostics.map((d) => d.message).join("; "));
  const program = { ...compiled.value, name: "parser", target: TARGET.xdp };
  const xdp = needsBpf(() => new XdpParser(program, parser));
  return (frame, keys, start) => {
    xdp.run(frame, keys, start);
    return xdp;
  };
}
