/**
 * In the fixture's process: what the kernel's flow dissector finds in frames. Through socket filters behind a tap, from
 * the kernel's stack, and by a flow dissector program, which may also be attached to the process's namespace.
 */
import { writeFileSync } from "node:fs";
import { attachFlowDissector } from "../bpf/attach.ts";
import { LoadedParser, PacketRuns, type ParserCode } from "../bpf/parser.ts";
import type { BpfProgram } from "../bpf/program.ts";
import { returnNibble, SKF_AD_PAY_OFFSET, SKF_AD_RXHASH } from "../classic-bpf.ts";
import { LinuxError, ok } from "../errors.ts";
import { RecordWriter, records } from "../fixture/records.ts";
import { libc } from "../libc.ts";
import { mountOwnSysfs } from "../namespace.ts";
import { Route } from "../netlink/route.ts";
import { PacketSocket } from "../packet-socket.ts";
import { StructBytes } from "../struct-bytes.ts";
import { Tap } from "../tap.ts";
import { FLOW_KEYS_BYTES, FlowKeysProbe, MOST_PROBED } from "./flow-keys-probe.ts";
import type { Handler } from "./handlers.ts";

const MTU = 65521;
const POFF_NIBBLES = 4;
const HASH_NIBBLES = 8;
/** Frames written before the sockets are read. */
const CHUNK = 256;
const WAIT_MS = 1000;
const ETH_HLEN = 14;
const EINVAL = 22;
const E2BIG = 7;
const O_RDONLY_CLOEXEC = 0x80000;
/** struct bpf_flow_keys, and where its flags lie. */
const BPF_FLOW_KEYS_BYTES = 56;
const BPF_FLOW_KEYS_FLAGS = 48;

/** A filter's answer is the length a frame is cut to, so a frame must be as long as the longest answer. */
export const LEAST_FRAME = 17;

/** What a request asks for. */
export type DissectQuestion = "sockets" | "keys" | "program";

/** Answers one batch of frames, a record each. */
type Answer = (frames: readonly Uint8Array[], flags: number, out: RecordWriter) => void;

/** Makes what a question needs when it is asked for the first time; a program of the spec is attached at once. */
export function dissectFixture(spec: Readonly<Record<string, unknown>>): Handler {
  const program = spec.program === undefined ? null : loadProgram(spec.program as ProgramSpec);
  let keys = keysAnswer;
  if (program !== null && spec.attach === true) {
    // where the keys lie is found by what the kernel's C says, hence before the program takes its place
    keys = early(keysAnswer);
    attachHere(program);
  }
  const build: Readonly<Record<DissectQuestion, () => Answer>> = {
    sockets: socketAnswer,
    keys,
    program: () => programAnswer(program),
  };
  const made = new Map<DissectQuestion, Answer>();
  const out = new RecordWriter();
  return (request, bytes) => {
    const question = request.question as DissectQuestion;
    const answer = made.get(question) ?? build[question]();
    made.set(question, answer);
    out.clear();
    answer([...records(bytes)], Number(request.flags ?? 0), out);
    return { json: {}, bytes: out.finish() };
  };
}

/** Make it now; if that fails, fail when it is asked for. */
function early(make: () => Answer): () => Answer {
  try {
    const answer = make();
    return () => answer;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** A program as it travels in a spec. */
export interface ProgramSpec {
  readonly name: string;
  /** Instructions, base64. */
  readonly text: string;
  readonly relocations: ParserCode["relocations"];
}

function loadProgram({ name, text, relocations }: ProgramSpec): BpfProgram {
  const code = { name, text: new Uint8Array(Buffer.from(text, "base64")), relocations };
  return new LoadedParser({ ...code, kind: "flow_dissector", slotBytes: 0 }).program;
}

/** The link lasts as long as this process, which never closes it. */
function attachHere(program: BpfProgram): void {
  const own = ok(libc().open("/proc/thread-self/ns/net", O_RDONLY_CLOEXEC), "this thread's namespace");
  attachFlowDissector(program, own);
  libc().close(own);
}

/** Answers with i32 status, u32 the hash, struct flow_keys. */
function keysAnswer(): Answer {
  const probe = new FlowKeysProbe();
  const answer = new Uint8Array(4 + FLOW_KEYS_BYTES);
  const view = new DataView(answer.buffer);
  return (frames, _flags, out) => {
    for (const frame of frames) {
      const status = frame.length > MOST_PROBED ? -E2BIG : probe.ask(frame);
      view.setUint32(0, probe.hash, true);
      answer.set(probe.keys, 4);
      out.pushNumbered(status, answer);
    }
  };
}

/** Answers with i32 status, u32 the program's return value, struct bpf_flow_keys. */
function programAnswer(program: BpfProgram | null): Answer {
  if (program === null) throw new LinuxError("EINVAL", "no program was given", {}, { errno: EINVAL });
  const context = new StructBytes(BPF_FLOW_KEYS_BYTES);
  const runs = new PacketRuns(program, MOST_PROBED, BPF_FLOW_KEYS_BYTES, context);
  const answer = new Uint8Array(4 + BPF_FLOW_KEYS_BYTES);
  return (frames, flags, out) => {
    context.u32(BPF_FLOW_KEYS_FLAGS, flags);
    for (const frame of frames) {
      const status = frame.length > MOST_PROBED ? -E2BIG : frame.length < ETH_HLEN ? -EINVAL : 0;
      if (status === 0) {
        runs.data.set(frame);
        const retval = runs.run(frame.length);
        new DataView(answer.buffer).setUint32(0, retval, true);
        answer.set(runs.out, 4);
      }
      out.pushNumbered(status, answer);
    }
  };
}

/**
 * Answers with i32 status, u32 poff, u32 hash. A filter can say one number per packet, by how many bytes it takes; a
 * socket for every four bits says all of a word. The hash is there because receive packet steering asks for it before
 * sockets see the packet.
 */
function socketAnswer(): Answer {
  const tap = new Tap({ name: "dissect0" });
  const route = new Route();
  const ifindex = route.ifindex(tap.name);
  mountOwnSysfs();
  writeFileSync("/sys/class/net/dissect0/queues/rx-0/rps_cpus", "1");
  route.setLink(ifindex, { mtu: MTU, up: true });
  route.close();
  const sockets = [
    ...Array.from({ length: POFF_NIBBLES }, (_, i) => nibbleSocket(ifindex, SKF_AD_PAY_OFFSET, i)),
    ...Array.from({ length: HASH_NIBBLES }, (_, i) => nibbleSocket(ifindex, SKF_AD_RXHASH, i)),
  ];
  const buffer = new Uint8Array(LEAST_FRAME);

  const nibble = (socket: PacketSocket): number => {
    for (;;) {
      const length = socket.receive(buffer);
      if (length > 0) return length - 1;
      if (!socket.wait(WAIT_MS))
        throw new LinuxError("ETIMEDOUT", `a frame did not come back within ${WAIT_MS} ms`);
    }
  };

  const runChunk = (frames: readonly Uint8Array[], out: RecordWriter): void => {
    const status = frames.map((frame) => (frame.length < LEAST_FRAME ? -22 : tap.write(frame)));
    for (const written of status) {
      const words = [0, 0];
      if (written > 0)
        for (const [i, socket] of sockets.entries()) {
          const value = nibble(socket);
          if (i < POFF_NIBBLES) words[0]! += value * 16 ** i;
          else words[1]! += value * 16 ** (i - POFF_NIBBLES);
        }
      out.pushNumbered(Math.min(written, 0), new Uint8Array(new Uint32Array(words).buffer));
    }
  };

  return (frames, _flags, out) => {
    for (let at = 0; at < frames.length; at += CHUNK) runChunk(frames.slice(at, at + CHUNK), out);
  };
}

function nibbleSocket(ifindex: number, word: number, i: number): PacketSocket {
  const socket = new PacketSocket({ ifindex });
  socket.attachFilter(returnNibble(word, i));
  return socket;
}
