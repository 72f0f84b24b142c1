/**
 * Resident memory while a capture of 2 GB is read: at 90 % at most that at 10 % plus 16 MiB.
 * The capture is generated while it is read, and brought in each of the ways a file is: read into the reader's
 * buffer, pushed in chunks of 64 KiB or 4 MiB, iterated as plain data, and pushed compressed. Each in a process of
 * its own. Run: npx tsx packages/pcap/bench/memory.bench.ts
 * NETOFFLOAD_BENCH_BYTES (default 2,000,000,000) shortens it.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";
import { CaptureReader, CaptureWriter, readCaptureSync } from "@netoffload/pcap";
import { MixGenerator } from "./mix.ts";

const TOTAL = Number(process.env.NETOFFLOAD_BENCH_BYTES ?? 2_000_000_000);
const ALLOWED = 16 * 1024 * 1024;
const PIECE_PACKETS = 50_000;

/** Records of one piece, without the file's header; the mix repeats piece by piece. */
function piece(format: "pcap" | "pcapng"): { header: Uint8Array; records: Uint8Array } {
  const chunks: Uint8Array[] = [];
  const writer = new CaptureWriter((chunk) => chunks.push(chunk.slice()), { format, bufferBytes: 1 << 20 });
  if (format === "pcapng") writer.addInterface({ linkType: 1 });
  const headerBytes = writer.bytesWritten;
  const generator = new MixGenerator();
  for (let i = 0; i < PIECE_PACKETS; i++) {
    const n = generator.next();
    writer.writeBytes(generator.frame, 0, n, n, generator.seconds, generator.nanoseconds, 0);
  }
  writer.flush();
  const whole = Buffer.concat(chunks);
  return { header: whole.subarray(0, headerBytes), records: whole.subarray(headerBytes) };
}

/** A file of TOTAL bytes, rounded up to a whole piece, as something to read from. */
class Source {
  /** Uncompressed bytes. */
  readonly size: number;
  /** Packets in all. */
  readonly packets: number;
  private readonly parts: readonly Uint8Array[];
  private part = 0;
  private at = 0;
  private left: number;

  constructor(format: "pcap" | "pcapng", compressed: boolean) {
    const { header, records } = piece(format);
    const count = Math.ceil(TOTAL / records.length);
    this.size = header.length + count * records.length;
    this.packets = count * PIECE_PACKETS;
    // gzip members follow one another as the pieces do
    this.parts = compressed
      ? [zlib.gzipSync(header), zlib.gzipSync(records, { level: 1 })]
      : [header, records];
    this.left = count + 1;
  }

  /** As fs.readSync: fills from the start, 0 at the end. */
  read(space: Uint8Array): number {
    if (this.left === 0) return 0;
    const part = this.parts[this.part]!;
    const n = Math.min(space.length, part.length - this.at);
    space.set(part.subarray(this.at, this.at + n));
    this.at += n;
    if (this.at === part.length) {
      this.left--;
      this.part = 1;
      this.at = 0;
    }
    return n;
  }

  *chunks(bytes: number): Generator<Uint8Array, void, undefined> {
    for (;;) {
      // a stream's chunks are each a new array
      const chunk = new Uint8Array(bytes);
      const n = this.read(chunk);
      if (n === 0) return;
      yield chunk.subarray(0, n);
    }
  }
}

/** Resident bytes at a tenth and at nine tenths of the packets. */
class Watch {
  packets = 0;
  bytes = 0;
  private at10 = 0;
  private at90 = 0;
  private readonly total: number;

  constructor(total: number) {
    this.total = total;
  }

  count(caplen: number): void {
    this.packets++;
    this.bytes += caplen;
    if (this.packets === Math.floor(this.total / 10)) this.at10 = process.memoryUsage.rss();
    else if (this.packets === Math.floor(this.total * 0.9)) this.at90 = process.memoryUsage.rss();
  }

  get growth(): number {
    if (this.packets !== this.total) throw new Error(`${this.packets} packets of ${this.total} were read`);
    return this.at90 - this.at10;
  }
}

function drain(reader: CaptureReader, watch: Watch): void {
  do {
    while (reader.next()) watch.count(reader.caplen);
  } while (reader.refill());
}

function pushed(source: Source, bytes: number): Watch {
  const watch = new Watch(source.packets);
  const reader = new CaptureReader();
  for (const chunk of source.chunks(bytes)) {
    reader.push(chunk);
    drain(reader, watch);
  }
  reader.end();
  drain(reader, watch);
  if (reader.fault) throw new Error(reader.fault.message);
  return watch;
}

function advanced(source: Source): Watch {
  const watch = new Watch(source.packets);
  const reader = new CaptureReader();
  while (reader.advance((space) => source.read(space))) while (reader.next()) watch.count(reader.caplen);
  if (reader.fault) throw new Error(reader.fault.message);
  return watch;
}

function iterated(source: Source): Watch {
  const watch = new Watch(source.packets);
  const capture = readCaptureSync(source.chunks(65536));
  for (const packet of capture) watch.count(packet.data.length);
  if (capture.fault) throw new Error(capture.fault.message);
  return watch;
}

const WAYS: Readonly<Record<string, () => Watch>> = {
  "pcap, read into the buffer": () => advanced(new Source("pcap", false)),
  "pcapng, read into the buffer": () => advanced(new Source("pcapng", false)),
  "pcap, pushed by 64 KiB": () => pushed(new Source("pcap", false), 65536),
  "pcap, pushed by 4 MiB": () => pushed(new Source("pcap", false), 4 << 20),
  "pcap, iterated": () => iterated(new Source("pcap", false)),
  "pcap.gz, pushed by 64 KiB": () => pushed(new Source("pcap", true), 65536),
};

const MIB = 1024 * 1024;
const way = process.env.NETOFFLOAD_BENCH_WAY;
if (way !== undefined) {
  console.log(WAYS[way]!().growth);
} else {
  for (const name of Object.keys(WAYS)) {
    const { status, stdout } = spawnSync(
      process.execPath,
      [...process.execArgv, fileURLToPath(import.meta.url)],
      {
        env: { ...process.env, NETOFFLOAD_BENCH_WAY: name },
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const growth = Number(stdout);
    const good = status === 0 && growth <= ALLOWED;
    if (!good) process.exitCode = 1;
    console.log(
      `${name.padEnd(40)} ${(growth / MIB).toFixed(1).padStart(7)} MiB more at 90 % than at 10 %   limit 16   ${good ? "reached" : "MISSED"}`,
    );
  }
}
