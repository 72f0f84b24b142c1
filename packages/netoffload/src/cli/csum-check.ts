/** `netoffload csum check`: read into the library's memory, judged there in batches. */
import { type CheckedLayer, LAYERS, PacketChecker, STOPS, VERDICTS } from "@netoffload/csum";
import { hexToBytes } from "@netoffload/internal";
import type { CaptureReader } from "@netoffload/pcap";
import { Memory } from "@netoffload/skbuff";
import { faultLine, openInput, readCaptureFile } from "./capture.ts";
import type { Context, Options } from "./command.ts";
import { EXIT, Outcome, usageError } from "./exit.ts";
import { readJsonLines } from "./input.ts";
import { udpEncapOption } from "./udp-encap.ts";

/** Largest record; never touched memory costs nothing. */
const BUFFER = 192 << 20;
const FRAGMENTS = 16 << 20;
const BATCH = 1024;
const RECORD = 32;
/** Room for the records of a batch; a packet may have 96. */
const RECORDS = 16384 * RECORD;
/** Bits of verdicts that a packet line is printed for: bad, partial, unverifiable. */
const FINDINGS = (1 << 1) | (1 << 2) | (1 << 4);

/** Counts by layer and verdict, as the summary carries them. */
type Counts = Record<string, Record<string, number>>;

/** One run over any number of files. */
class Check {
  readonly context: Context;
  readonly verbose: boolean;
  readonly memory: Memory = Memory.create({ bytes: BUFFER + FRAGMENTS + (8 << 20) });
  readonly checker: PacketChecker;
  readonly buffer: Uint8Array;
  readonly #frames: number;
  readonly #results: number;
  readonly #records: number;
  readonly #words: Uint32Array;
  readonly #numbers: Uint32Array = new Uint32Array(BATCH);
  /** Room for records is needed only where packets are told of. */
  #waiting = 0;
  file = "";
  packets = 0;
  bytes = 0;

  constructor(context: Context, options: Options) {
    this.context = context;
    this.verbose = options.verbose === true;
    const fragmentBytes = options["no-reassembly"] === true ? 0 : FRAGMENTS;
    const udpEncap = udpEncapOption(options);
    this.checker = new PacketChecker({ memory: this.memory, fragmentBytes, udpEncap });
    this.#frames = this.memory.alloc(BATCH * 20);
    this.#results = this.memory.alloc(BATCH * 4);
    this.#records = this.memory.alloc(RECORDS);
    const at = this.memory.alloc(BUFFER);
    this.buffer = this.memory.bytes.subarray(at, at + BUFFER);
    this.#words = new Uint32Array(this.memory.bytes.buffer);
  }

  /** Line a packet up; its bytes must stay until {@link flush}. */
  add(address: number, reader: CaptureReader, number: number): void {
    const w = this.#words;
    const at = (this.#frames >>> 2) + this.#waiting * 5;
    w[at] = address;
    w[at + 1] = reader.caplen;
    w[at + 2] = reader.len;
    w[at + 3] = reader.linkType;
    w[at + 4] = reader.seconds;
    this.#numbers[this.#waiting] = number;
    this.bytes += reader.caplen;
    this.packets++;
    if (++this.#waiting === BATCH) this.flush();
  }

  /** Judge what waits and tell of it. */
  flush(): void {
    let done = 0;
    while (done < this.#waiting) {
      const frames = this.#frames + done * 20;
      const n = this.checker.checkBatch(frames, this.#waiting - done, this.#results, this.#records, RECORDS);
      this.#tell(done, n);
      done += n;
    }
    this.#waiting = 0;
  }

  #tell(first: number, n: number): void {
    const all = this.verbose || this.context.json;
    if (this.context.quiet && !this.context.json) return;
    let record = this.#records;
    for (let i = 0; i < n; i++) {
      const result = this.#words[(this.#results >>> 2) + i]!;
      const count = result & 0xff;
      if (all || ((result >>> 16) & FINDINGS) !== 0) {
        const layers = Array.from({ length: count }, (_, k) => this.checker.layerAt(record + k * RECORD));
        this.packet(this.#numbers[first + i]!, layers, STOPS[(result >>> 8) & 0xff]!);
      }
      record += count * RECORD;
    }
  }

  /** One packet's line. */
  packet(number: number, layers: readonly CheckedLayer[], stop: string): void {
    const { context } = this;
    if (context.json)
      context.out.json({ file: this.file, packet: number, layers: layers.map(layerJson), stop });
    else {
      const told = this.verbose ? layers : layers.filter((l) => l.verdict !== "ok" && l.verdict !== "absent");
      context.out.line(
        `${this.file}: packet ${number}: ${told.length === 0 ? `none (${stop})` : told.map((l) => layerText(l, context.color)).join(", ")}`,
      );
    }
  }

  counts(): Counts {
    const numbers = this.checker.takeCounts();
    const out: Counts = {};
    for (const [n, layer] of LAYERS.entries())
      for (const [v, verdict] of VERDICTS.entries()) {
        const count = numbers[n * 8 + v]!;
        if (layer !== undefined && count > 0) out[layer] = { ...out[layer], [verdict]: count };
      }
    return out;
  }
}

/** A layer as its JSON, the kernel's way of spelling names. */
function layerJson(l: CheckedLayer): Record<string, unknown> {
  return {
    layer: l.layer,
    verdict: l.verdict,
    ...(l.reason === undefined ? {} : { reason: l.reason }),
    offset: l.offset,
    field: l.field,
    start: l.start,
    end: l.end,
    found: l.found,
    expected: l.expected,
    ...(l.reassembled ? { reassembled: true } : {}),
    ...(l.quoted ? { quoted: true } : {}),
  };
}

const COLORS: Readonly<Record<string, string>> = { ok: "32", bad: "31", partial: "33" };

function layerText(l: CheckedLayer, color: boolean): string {
  const code = COLORS[l.verdict];
  const verdict = color && code !== undefined ? `\x1b[${code}m${l.verdict}\x1b[0m` : l.verdict;
  const width = l.layer === "sctp" ? 8 : 4;
  const hex = (n: number): string => `0x${n.toString(16).padStart(width, "0")}`;
  const values =
    l.verdict === "bad" || l.verdict === "partial"
      ? ` at byte ${l.field}${l.reassembled ? " of the datagram" : ""} (${hex(l.found)}, should be ${hex(l.expected)})`
      : "";
  return `${l.layer} ${verdict}${l.reason === undefined ? "" : ` ${l.reason}`}${values}`;
}

/** @returns the exit code */
export async function csumCheck(
  context: Context,
  words: readonly string[],
  options: Options,
): Promise<number> {
  if (words.length === 0) throw usageError("csum check: which FILE? ('-': standard input)");
  const outcome = new Outcome();
  const check = new Check(context, options);
  const started = performance.now();
  const faults: { file: string; offset: number; message: string }[] = [];
  let interrupted = false;
  for (const path of words) {
    check.file = path;
    const opened = await openInput(context, path);
    if (opened.json) {
      await checkJsonLines(check, path, opened.chunks, outcome);
      continue;
    }
    const end = await readCaptureFile(
      context,
      path,
      (reader, n) => check.add(addressOf(check, reader), reader, n),
      {
        buffer: check.buffer,
        ...(opened.chunks === undefined ? {} : { chunks: opened.chunks }),
        onBlock: () => check.flush(),
      },
    );
    for (const fault of end.faults) {
      outcome.note(2);
      context.err.line(`netoffload: ${faultLine(path, fault)}`);
      faults.push({ file: path, offset: fault.offset, message: `${fault.code}: ${fault.message}` });
    }
    interrupted ||= end.interrupted;
    if (interrupted) break;
  }
  const seconds = (performance.now() - started) / 1000;
  const counts = check.counts();
  if (Object.values(counts).some((c) => (c.bad ?? 0) > 0)) outcome.note(EXIT.difference);
  const summary = {
    summary: true as const,
    packets: check.packets,
    bytes: check.bytes,
    checksums: counts,
    seconds: Number(seconds.toFixed(3)),
    packets_per_second: seconds > 0 ? Math.round(check.packets / seconds) : 0,
    ...(interrupted ? { interrupted: true as const } : {}),
    ...(faults.length > 0 ? { faults } : {}),
  };
  if (context.json) context.out.json(summary);
  else if (!context.quiet) context.out.write(summaryText(summary));
  return outcome.code;
}

const addressOf = (check: Check, reader: CaptureReader): number => check.buffer.byteOffset + reader.offset;

function summaryText(s: {
  packets: number;
  bytes: number;
  checksums: Counts;
  seconds: number;
  packets_per_second: number;
  interrupted?: true;
}): string {
  const n = (value: number): string => value.toLocaleString("en");
  const lines = [
    `${n(s.packets)} packets, ${n(s.bytes)} bytes, ${s.seconds.toFixed(2)} s, ${n(s.packets_per_second)} packets/s`,
  ];
  if (Object.keys(s.checksums).length > 0)
    lines.push(`${"".padEnd(10)}${VERDICTS.map((v) => v.padStart(14)).join("")}`);
  for (const [layer, by] of Object.entries(s.checksums))
    lines.push(`${layer.padEnd(10)}${VERDICTS.map((v) => n(by[v] ?? 0).padStart(14)).join("")}`);
  if (s.interrupted) lines.push("interrupted: the counts are of what was done until then");
  return `${lines.join("\n")}\n`;
}

/** JSON lines `{"id","frame"[,"link_type","wire_length"]}`: a line out for each, bad ones in their place. */
async function checkJsonLines(
  check: Check,
  path: string,
  chunks: AsyncIterable<Uint8Array> | undefined,
  outcome: Outcome,
): Promise<void> {
  const { context, checker } = check;
  let number = 0;
  for await (const line of readJsonLines(context, path, chunks)) {
    number++;
    const frame = line.ok && typeof line.value.frame === "string" ? hexToBytes(line.value.frame) : null;
    if (!line.ok || frame === null) {
      const error = line.ok
        ? { code: "frame", message: `line ${number}: "frame" must be lower-case hex` }
        : { code: line.code, message: line.message };
      outcome.note(2);
      if (context.json) context.out.json({ id: line.id, error });
      else context.err.line(`netoffload: ${path}: ${error.message}`);
      continue;
    }
    const number16 = (value: unknown, otherwise: number): number =>
      typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32
        ? value
        : otherwise;
    checker.check(
      frame,
      number16(line.value.link_type, 1),
      Math.max(frame.length, number16(line.value.wire_length, 0)),
    );
    check.packets++;
    check.bytes += frame.length;
    const layers = checker.layers();
    if (context.json) context.out.json({ id: line.id, layers: layers.map(layerJson), stop: checker.stop });
    else if (check.verbose || layers.some((l) => l.verdict !== "ok" && l.verdict !== "absent"))
      check.packet(number, layers, checker.stop);
  }
}
