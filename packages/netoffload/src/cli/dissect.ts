/** `netoffload dissect`: a flow dissector's graph on frames, in the kernel's words. */
import { type CprFile, orThrow, parserOf, SHIPPED_PARSERS, shippedParser } from "@netoffload/cpr-ir";
import {
  BPF_FLOW_KEYS,
  type DissectRequest,
  dissect,
  ETH_HLEN,
  FRAME,
  isFault,
  type RunGraph,
} from "../dissect.ts";
import { PARSE_UDP_ENCAPS, withUdpEncaps } from "../dissect-encap.ts";
import { type Command, type Context, type Options, stringOption } from "./command.ts";
import { eachFrame, type LineFault } from "./cpr-frames.ts";
import { dissectorRunner } from "./cpr-kernel.ts";
import { READ_OPTIONS, readParserFile } from "./cpr-read.ts";
import { runner } from "./cpr-run.ts";
import { usageError } from "./exit.ts";
import { UDP_ENCAP_OPTION, udpEncapOption } from "./udp-encap.ts";

const TARGETS = ["wasm", "ebpf", "tcam", "interp"];

/** The document and the parser of it that is to run. */
type Graph = Pick<CprFile, "parser" | "document">;

function graphOf(context: Context, options: Options): Graph {
  const file = stringOption(options, "program");
  const encaps = udpEncapOption(options);
  if (file !== undefined) {
    if (options["udp-encap"] !== undefined)
      throw usageError("--udp-encap: for the shipped graph; a --program says itself what lies behind UDP");
    return readParserFile(context, file, options);
  }
  if (encaps.size === 0)
    return { parser: shippedParser("flow-dissector"), document: SHIPPED_PARSERS["flow-dissector"] };
  const document = withUdpEncaps(encaps);
  return { parser: orThrow(parserOf(document)), document };
}

/** The kernel maps what a document declares as flow-keys; elsewhere the metadata must be laid out as the struct. */
function laidOut({ parser }: Graph, file: string | undefined): void {
  if (parser.metametaSize !== BPF_FLOW_KEYS || parser.frameSize < FRAME || parser.numKeys < 2)
    throw usageError(
      `${file}: no flow dissector: its metameta area must be struct bpf_flow_keys (${BPF_FLOW_KEYS} bytes), a frame of ${FRAME} behind it, key registers 0 and 1 flags and EtherType`,
    );
}

function graph(context: Context, options: Options): RunGraph {
  const target = stringOption(options, "target") ?? "wasm";
  if (!TARGETS.includes(target)) throw usageError(`--target ${target}: ${TARGETS.join(", ")}`);
  const found = graphOf(context, options);
  if (target === "ebpf") return dissectorRunner(found);
  laidOut(found, stringOption(options, "program"));
  const { parser } = found;
  const run = runner(parser, target);
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
    target: {
      type: "string",
      value: TARGETS.join("|"),
      help: "what runs the graph (default wasm); ebpf: the running kernel, as its BPF flow dissector",
    },
    program: { type: "string", value: "FILE.json", help: "another graph than the shipped flow dissector" },
    ...READ_OPTIONS,
    "udp-encap": UDP_ENCAP_OPTION,
  },
  details: `
In: {"id","frame","proto","nhoff","flags"}; without them the frame's EtherType, 14 and 0 (FLOW_DISSECTOR_F_*).
Out: {"id","flow_keys":{...},"bpf":{"retval","flow_keys"},"poff","headlen"}: the keys of struct flow_keys (addresses,
ports and key as bytes of the wire), struct bpf_flow_keys as a program leaves it, the payload offset that filters see,
the bytes that eth_get_headlen() gives. 'live compare dissect' holds the graph to the running kernel.
With --target ebpf the kernel runs the program on the bytes (BPF_PROG_TEST_RUN, as root), 3,400 at most, and flow_keys
is what it makes of struct bpf_flow_keys, which holds neither a GRE key nor TIPC.
With --udp-encap the shipped graph looks behind UDP, which no kernel does: the proposal of 2024, told by destination
port. Its flag (16) is set for flow_keys and bpf; poff and headlen are without it, as they would be.`,
  run(context, words, options) {
    if (words.length > 1) throw usageError("dissect: one IN.jsonl or CAPTURE (- for standard input)");
    const input = words[0] ?? "-";
    if (input === "-" && options.program === "-")
      throw usageError("dissect: standard input is the program; name IN.jsonl or CAPTURE");
    const run = graph(context, options);
    const more = options["udp-encap"] === undefined ? 0 : PARSE_UDP_ENCAPS;
    return eachFrame(context, input, (id, frame, line): LineFault | undefined => {
      const request = requestOf(frame, line);
      if (isFault(request)) return request;
      const answer = dissect(run, { ...request, flags: request.flags | more });
      if (isFault(answer)) return answer;
      context.out.json({ id, ...answer });
      return undefined;
    });
  },
};
