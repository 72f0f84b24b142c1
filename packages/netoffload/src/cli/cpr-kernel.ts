/** Parsers as programs of the running kernel, run on bytes: XDP programs for `cpr run`, flow dissectors for `dissect`. */
import {
  CODE,
  type CompiledParser,
  type CprFile,
  compileFlowDissector,
  compileXdp,
  flowKeysFields,
  type Parser,
  type Result,
  TARGET,
} from "@netoffload/cpr-ir";
import {
  ADDR_IPV4,
  ADDR_IPV6,
  AT,
  BPF_FLOW_KEYS,
  BPF_OK,
  ETH_HLEN,
  FRAME,
  type RunGraph,
} from "../dissect.ts";
import { needsBpf } from "../live/facility.ts";
import {
  FlowDissectorParser,
  isRunnable,
  MAX_FRAME,
  MIN_FRAME,
  ParserRefusal,
  XdpParser,
} from "../live/kernel-parser.ts";
import type { LineFault } from "./cpr-frames.ts";
import { usageError } from "./exit.ts";

/** What a frame of a length that the kernel does not run is answered with. */
export function lengthFault(frame: Uint8Array): LineFault | undefined {
  if (isRunnable(frame)) return undefined;
  const message = `a frame of ${frame.length} bytes; the kernel runs ${MIN_FRAME} to ${MAX_FRAME}`;
  return { code: "frame", message };
}

/** A parser in the running kernel; it is unloaded when the process ends. */
export function xdpRunner(
  parser: Parser,
): (frame: Uint8Array, keys: Uint32Array, start: number) => XdpParser | LineFault {
  const program = { ...compiledOf(compileXdp(parser)), name: "parser", target: TARGET.xdp };
  const xdp = inKernel(() => new XdpParser(program, parser));
  return (frame, keys, start) => {
    const fault = lengthFault(frame);
    if (fault !== undefined) return fault;
    xdp.run(frame, keys, start);
    return xdp;
  };
}

/**
 * A parser as the kernel's flow dissector. The kernel starts behind an Ethernet header: for another start one is put
 * before what is to be dissected, and the offsets are moved.
 */
export function dissectorRunner({ parser, document }: Pick<CprFile, "parser" | "document">): RunGraph {
  const compiled = compiledOf(compileFlowDissector(parser, flowKeysFields(document)));
  const program = { ...compiled, name: "parser", target: TARGET.ebpf };
  const dissector = inKernel(() => new FlowDissectorParser(program));
  const metadata = new Uint8Array(BPF_FLOW_KEYS + FRAME);
  const view = new DataView(metadata.buffer);
  return ({ frame, proto, nhoff, flags }) => {
    const start = Math.min(nhoff, frame.length);
    const behind = new Uint8Array(ETH_HLEN + frame.length - start);
    behind[ETH_HLEN - 2] = proto >> 8;
    behind[ETH_HLEN - 1] = proto;
    behind.set(frame.subarray(start), ETH_HLEN);
    const fault = lengthFault(behind);
    if (fault !== undefined) return fault;
    const retval = dissector.run(behind, flags);
    metadata.fill(0);
    metadata.set(dissector.keys);
    for (const at of [AT.nhoff, AT.thoff])
      view.setUint16(at, view.getUint16(at, true) + start - ETH_HLEN, true);
    view.setUint16(AT.addrType, ADDR_TYPES[view.getUint16(AT.addrProto, true)] ?? 0, true);
    return { code: retval === BPF_OK ? CODE.OKAY : CODE.STOP_FAIL, metadata };
  };
}

/** What the keys' conversion makes of addr_proto. @see net/core/flow_dissector.c __skb_flow_bpf_to_target() */
const ADDR_TYPES: Readonly<Record<number, number>> = { 2048: ADDR_IPV4, 34525: ADDR_IPV6 };

function compiledOf(compiled: Result<CompiledParser>): CompiledParser {
  if (compiled.ok) return compiled.value;
  throw usageError(compiled.diagnostics.map((d) => d.message).join("\n"));
}

/** Load; what the verifier says of a parser ends the command. */
function inKernel<T>(load: () => T): T {
  try {
    return needsBpf(load);
  } catch (error) {
    if (error instanceof ParserRefusal) throw usageError(`${error.message}\n${error.log}`);
    throw error;
  }
}
