/**
 * The slow, obvious reader that the package's is compared with: the whole file at once, one array of objects, bigint
 * time stamps, a fresh DataView wherever one is needed. Shares no code with src.
 */

export interface SlowPacket {
  at: number;
  data: string;
  len: number;
  seconds: number;
  nanoseconds: number;
  section: number;
  interfaceId: number;
  linkType: number;
  flags: number;
  comments: string[];
}

export interface SlowCapture {
  packets: SlowPacket[];
  faults: string[];
}

const LIMIT = 256 * 1024 * 1024;

interface SlowInterface {
  linkType: number;
  snaplen: number;
  units: bigint;
  offset: bigint;
}

class Stop extends Error {}

export function slowRead(file: Uint8Array): SlowCapture {
  const packets: SlowPacket[] = [];
  const faults: string[] = [];
  const note = (code: string, at: number): void => {
    if (!faults.some((fault) => fault.startsWith(`${code}@`) && !fault.endsWith("!")))
      faults.push(`${code}@${at}`);
  };
  const stop = (code: string, at: number): never => {
    faults.push(`${code}@${at}!`);
    throw new Stop();
  };
  try {
    if (file.length === 0) stop("EMPTY", 0);
    if (file.length < 4) stop("TRUNCATED_HEADER", 0);
    const magic = hex(file, 0, 4);
    if (magic === "0a0d0d0a") slowPcapng(file, packets, note, stop);
    else slowPcap(file, magic, packets, note, stop);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
  }
  return { packets, faults };
}

type Note = (code: string, at: number) => void;
type StopAt = (code: string, at: number) => never;

function hex(file: Uint8Array, start: number, end: number): string {
  return Array.from(file.subarray(start, end), (b) => b.toString(16).padStart(2, "0")).join("");
}

function number(file: Uint8Array, at: number, bytes: number, le: boolean): number {
  let n = 0;
  for (let i = 0; i < bytes; i++) n = n * 256 + file[at + (le ? bytes - 1 - i : i)]!;
  return n;
}

function slowPcap(file: Uint8Array, magic: string, packets: SlowPacket[], note: Note, stop: StopAt): void {
  const kinds: Record<string, [boolean, number, number]> = {
    a1b2c3d4: [false, 1000, 16],
    d4c3b2a1: [true, 1000, 16],
    a1b23c4d: [false, 1, 16],
    "4d3cb2a1": [true, 1, 16],
    a1b2cd34: [false, 1000, 24],
    "34cdb2a1": [true, 1000, 24],
  };
  const kind = kinds[magic];
  const [le, scale, header] = kind ?? stop("UNKNOWN_FORMAT", 0);
  if (file.length < 24) stop("TRUNCATED_HEADER", 0);
  const major = number(file, 4, 2, le);
  const minor = number(file, 6, 2, le);
  if (major !== 2 && major !== 543) stop("UNSUPPORTED_VERSION", 4);
  const snaplen = number(file, 16, 4, le);
  const linkType = number(file, 20, 4, le) % 0x4000000;
  let at = 24;
  while (at < file.length) {
    if (file.length - at < header) stop("TRUNCATED_RECORD", at);
    let caplen = number(file, at + 8, 4, le);
    let len = number(file, at + 12, 4, le);
    if (major === 543 || minor < 3 || (minor === 3 && caplen > len)) [caplen, len] = [len, caplen];
    if (caplen > LIMIT) stop("BAD_CAPLEN", at);
    if (at + header + caplen > file.length) stop("TRUNCATED_RECORD", at);
    if (snaplen > 0 && caplen > snaplen) note("SNAPLEN_EXCEEDED", at);
    packets.push({
      at,
      data: hex(file, at + header, at + header + caplen),
      len,
      seconds: number(file, at, 4, le),
      nanoseconds: number(file, at + 4, 4, le) * scale,
      section: 0,
      interfaceId: 0,
      linkType,
      flags: 0,
      comments: [],
    });
    at += header + caplen;
  }
}

/** [code, offset of the value, its length] of each option; a bad one is noted. */
function options(
  file: Uint8Array,
  start: number,
  end: number,
  le: boolean,
  note: Note,
): [number, number, number][] {
  const found: [number, number, number][] = [];
  let at = start;
  while (at < end) {
    if (end - at < 4) {
      note("BAD_OPTION", at);
      break;
    }
    const code = number(file, at, 2, le);
    const length = number(file, at + 2, 2, le);
    if (code === 0) break;
    if (at + 4 + length > end) {
      note("BAD_OPTION", at);
      break;
    }
    found.push([code, at + 4, length]);
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return found;
}

function slowPcapng(file: Uint8Array, packets: SlowPacket[], note: Note, stop: StopAt): void {
  const least: Record<number, number> = { 168627466: 28, 1: 20, 2: 32, 3: 16, 6: 32 };
  let le = true;
  let section = -1;
  let interfaces: SlowInterface[] = [];
  let interfaceBytes = 0;
  let at = 0;
  while (at < file.length) {
    if (file.length - at < 12) stop("TRUNCATED_BLOCK", at);
    const type = number(file, at, 4, le);
    if (type === 0x0a0d0d0a) {
      const magic = hex(file, at + 8, at + 12);
      if (magic !== "1a2b3c4d" && magic !== "4d3c2b1a") stop("BAD_BYTE_ORDER_MAGIC", at + 8);
      le = magic === "4d3c2b1a";
    }
    const total = number(file, at + 4, 4, le);
    if (total % 4 !== 0 || total < (least[type] ?? 12)) stop("BAD_BLOCK_LENGTH", at);
    if (total > (type === 1 ? 1 << 20 : LIMIT + (1 << 20))) stop("BLOCK_TOO_LARGE", at);
    if (type === 0x0a0d0d0a) {
      if (file.length - at < 16) stop("TRUNCATED_BLOCK", at);
      if (number(file, at + 12, 2, le) !== 1) stop("UNSUPPORTED_VERSION", at + 12);
      section++;
      interfaces = [];
      interfaceBytes = 0;
    }
    if (file.length - at < total) stop("TRUNCATED_BLOCK", at);
    if (number(file, at + total - 4, 4, le) !== total) stop("BLOCK_LENGTH_MISMATCH", at);
    const end = at + total - 4;
    if (type === 1) {
      interfaceBytes += total;
      if (interfaces.length >= 65536 || interfaceBytes > 1 << 26) stop("TOO_MANY_INTERFACES", at);
      interfaces.push(slowInterface(file, at, end, le, note));
    } else if (type === 2 || type === 3 || type === 6) {
      slowPacket(file, at, end, type, le, section, interfaces, packets, note);
    }
    at += total;
  }
}

function slowInterface(file: Uint8Array, at: number, end: number, le: boolean, note: Note): SlowInterface {
  const found: SlowInterface = {
    linkType: number(file, at + 8, 2, le),
    snaplen: number(file, at + 12, 4, le),
    units: 1_000_000n,
    offset: 0n,
  };
  for (const [code, value, length] of options(file, at + 16, end, le, note)) {
    if (code === 9 && length >= 1) {
      const r = file[value]!;
      found.units = r >= 128 ? 2n ** BigInt(r - 128) : 10n ** BigInt(r);
    }
    if (code === 14 && length >= 8) {
      const digits = hex(file, value, value + 8);
      const bytes = le ? digits.match(/../g)!.reverse().join("") : digits;
      found.offset = BigInt.asIntN(64, BigInt(`0x${bytes}`));
    }
  }
  return found;
}

function slowPacket(
  file: Uint8Array,
  at: number,
  end: number,
  type: number,
  le: boolean,
  section: number,
  interfaces: SlowInterface[],
  packets: SlowPacket[],
  note: Note,
): void {
  const simple = type === 3;
  const interfaceId = simple ? 0 : number(file, at + 8, type === 2 ? 2 : 4, le);
  const from = interfaces[interfaceId];
  if (from === undefined) {
    note("BAD_INTERFACE", at);
    return;
  }
  const data = at + (simple ? 12 : 28);
  const len = number(file, at + (simple ? 8 : 24), 4, le);
  let caplen = simple ? Math.min(len, end - data) : number(file, at + 20, 4, le);
  if (simple && from.snaplen > 0) caplen = Math.min(caplen, from.snaplen);
  if (caplen > end - data || caplen > LIMIT) {
    note("BAD_CAPLEN", at);
    return;
  }
  if (from.snaplen > 0 && caplen > from.snaplen) note("SNAPLEN_EXCEEDED", at);
  let seconds = 0n;
  let nanoseconds = 0n;
  let flags = 0;
  const comments: string[] = [];
  if (!simple) {
    const stamp = BigInt(number(file, at + 12, 4, le)) * 2n ** 32n + BigInt(number(file, at + 16, 4, le));
    seconds = stamp / from.units;
    nanoseconds = ((stamp % from.units) * 10n ** 9n) / from.units;
    for (const [code, value, length] of options(file, data + Math.ceil(caplen / 4) * 4, end, le, note)) {
      if (code === 1)
        comments.push(new TextDecoder().decode(file.slice(value, value + length)).replace(/\0+$/, ""));
      if (code === 2 && length >= 4) flags = number(file, value, 4, le);
    }
  }
  packets.push({
    at,
    data: hex(file, data, data + caplen),
    len,
    seconds: simple ? 0 : Number(seconds) + Number(from.offset),
    nanoseconds: Number(nanoseconds),
    section,
    interfaceId,
    linkType: from.linkType,
    flags,
    comments,
  });
}
