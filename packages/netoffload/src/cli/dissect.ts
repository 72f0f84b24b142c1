/** `netoffload dissect`: a flow dissector's graph on frames, in the kernel's words. */
import { type Parser, shippedParser } from "@netoffload/cpr-ir";
import { BPF_FLOW_KEYS, type DissectRequest, dissect, type RunGraph } from "../dissect.ts";
import { type Command, type Context, type Options, stringOption } from "./command.ts";
import { readParserFile } from "./cpr.ts";
import { eachFrame, type LineFault } from "./cpr-frames.ts";
import { runner } from "./cpr-run.ts";
import { usageError } from "./exit.ts";

const ETH_HLEN = 14;
/** Bytes of metadata of the shipped graph: the struct, and a frame of what it cannot hold. */
const FRAME = 32;

function graphOf(context: Context, options: Options): Parser {
  const file = stringOption(options, "program");
  const parser =
    file === undefined ? shippedParser("flow-dissector") : readParserFile(context, file, options).parser;
  if (parser.metametaSize !== BPF_FLOW_KEYS || parser.frameSize < FRAME || parser.numKeys < 2)
    throw usageError(
      `${file}: no flow dissector: its metameta area must be struct bpf_flow_keys (${BPF_FLOW_KEYS} bytes), a frame of ${FRAME} behind it, key registers 0 and 1 flags and EtherType`,
    );
  return parser;
}

function graph(context: Context, options: Options): RunGraph {
  const parser = graphOf(context, options);
  const run = runner(parser, stringOption(options, "target") ?? "wasm");
  const keys = new Uint32Array(parser.numKeys);
  return ({ frame, proto, nhoff, flags }) => {
    keys.fill(0);
    keys[0] = flags;
    keys[1] = proto;
    return run(frame, keys, Math.min(nhoff, frame.length));
  };
}

/** A request out of a line, or what is wrong with it. */
function requestOf(
  frame: Uint8Array,
  line: Readonly<Record<string, unknown>> | null,
): DissectRequest | LineFault {
  const type = frame.length < ETH_HLEN ? 0 : (frame[12]! << 8) | frame[13]!;
  const { proto = type, nhoff = ETH_HLEN, flags = 0 } = line ?? {};
  const most = { proto: 0xffff, nhoff: 0xffff, flags: 15 };
  for (const [name, value] of Object.entries({ proto, nhoff, flags })) {
    const limit = most[name as keyof typeof most];
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > limit)
      return { code: name, message: `${name}: a whole number from 0 to ${limit} is needed` };
  }
  return { frame, proto: proto as number, nhoff: nhoff as number, flags: flags as number };
}

/** The command. */
export const dissectCommand: Command = {
  name: "dissect",
  summary: "what the kernel's flow dissector finds in frames",
  usage: "[IN.jsonl|CAPTURE]",
  options: {
    target: { type: "string", value: "wasm|interp|tcam", help: "what runs the graph (default wasm)" },
    program: { type: "string", value: "FILE.json", help: "another graph than the shipped flow dissector" },
    lenient: { type: "boolean", help: "unknown properties and slips of JSON are warnings" },
  },
  details: `
In: {"id","frame","proto","nhoff","flags"}; without them the frame's EtherType, 14 and 0 (FLOW_DISSECTOR_F_*).
Out: {"id","flow_keys":{...},"bpf":{"retval","flow_keys"},"poff","headlen"}: the keys of struct flow_keys (addresses,
ports and key as bytes of the wire), struct bpf_flow_keys as a program leaves it, the payload offset that filters see,
the bytes that eth_get_headlen() gives. 'live compare dissect' holds the graph to the running kernel.`,
  run(context, words, options) {
    if (words.length > 1) throw usageError("dissect: one IN.jsonl or CAPTURE (- for standard input)");
    const run = graph(context, options);
    return eachFrame(context, words[0] ?? "-", (id, frame, line): LineFault | undefined => {
      const request = requestOf(frame, line);
      if ("message" in request) return request;
      context.out.json({ id, ...dissect(run, request) });
      return undefined;
    });
  },
};
