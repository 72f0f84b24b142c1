/** Reading the fields of one `eval` input: every complaint says which field, what it was, and what would be right. */
import { hexToBytes } from "@netoffload/internal";
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  type Features,
  featureSet,
} from "@netoffload/skbuff";

/** A field that is missing or not what it should be. */
export class FieldError extends Error {}

/** Names of ip_summed by number. */
export const IP_SUMMED = ["NONE", "UNNECESSARY", "COMPLETE", "PARTIAL"] as const;
const STATES: readonly number[] = [CHECKSUM_NONE, CHECKSUM_UNNECESSARY, CHECKSUM_COMPLETE, CHECKSUM_PARTIAL];

const MAX_BYTES = 1 << 20;

/** The fields of an object, read by name. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #used: Set<string> = new Set();

  constructor(values: Readonly<Record<string, unknown>>, path: string) {
    this.#values = values;
    this.#path = path;
  }

  /** Is the field given? */
  has(name: string): boolean {
    return this.#get(name) !== undefined;
  }

  /** Names of fields that nobody asked for. */
  unread(): string[] {
    return Object.keys(this.#values).filter((name) => !this.#used.has(name));
  }

  #get(name: string): unknown {
    this.#used.add(name);
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  #fail(name: string, value: unknown, wanted: string): never {
    const path = `${this.#path}.${name}`;
    if (value === undefined) throw new FieldError(`${path} is missing: ${wanted} is needed`);
    const shown = JSON.stringify(value) ?? String(value);
    throw new FieldError(
      `${path} ${shown.length > 60 ? `${shown.slice(0, 60)}...` : shown}: ${wanted} is needed`,
    );
  }

  /** Bytes in hex. */
  hex(name: string, fallback?: string): Uint8Array {
    const value = this.#get(name) ?? fallback;
    const bytes = typeof value === "string" ? hexToBytes(value) : null;
    if (bytes === null || bytes.length > MAX_BYTES) this.#fail(name, value, `hex, up to ${MAX_BYTES} bytes,`);
    return bytes;
  }

  /** A whole number: a JSON number, or hex with 0x. */
  int(name: string, min: number, max: number, fallback?: number): number {
    const value = this.#get(name) ?? fallback;
    const n =
      typeof value === "number"
        ? value
        : typeof value === "string" && /^0x[0-9a-f]+$/i.test(value)
          ? Number.parseInt(value, 16)
          : Number.NaN;
    if (!Number.isInteger(n) || n < min || n > max)
      this.#fail(name, value, `a whole number from ${min} to ${max}`);
    return n;
  }

  u8(name: string, fallback?: number): number {
    return this.int(name, 0, 0xff, fallback);
  }
  u16(name: string, fallback?: number): number {
    return this.int(name, 0, 0xffff, fallback);
  }
  u32(name: string, fallback?: number): number {
    return this.int(name, 0, 0xffffffff, fallback);
  }

  bool(name: string, fallback?: boolean): boolean {
    const value = this.#get(name) ?? fallback;
    if (value === true || value === 1) return true;
    if (value === false || value === 0) return false;
    return this.#fail(name, value, "true or false");
  }

  /** A 32-bit word as it lies in the packet: 8 hex digits, a dotted address, or a big-endian number. */
  word(name: string): Uint8Array {
    const value = this.#get(name);
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff)
      return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
    if (typeof value === "string") {
      const bytes = ipv4Bytes(value) ?? hexToBytes(value.replace(/^0x/i, ""));
      if (bytes?.length === 4) return bytes;
    }
    return this.#fail(name, value, "a dotted IPv4 address, 8 hex digits or a 32-bit number");
  }

  /** An address of either family: dotted, with colons, or 8 or 32 hex digits. */
  address(name: string): Uint8Array {
    const value = this.#get(name);
    if (typeof value === "string") {
      const bytes = ipv4Bytes(value) ?? ipv6Bytes(value) ?? hexToBytes(value);
      if (bytes?.length === 4 || bytes?.length === 16) return bytes;
    }
    return this.#fail(name, value, "an IPv4 or IPv6 address, as text or hex,");
  }

  address4(name: string): Uint8Array {
    const bytes = this.address(name);
    return bytes.length === 4 ? bytes : this.#fail(name, this.#get(name), "an IPv4 address");
  }

  address6(name: string): Uint8Array {
    const bytes = this.address(name);
    return bytes.length === 16 ? bytes : this.#fail(name, this.#get(name), "an IPv6 address");
  }

  /** State of a checksum by name or number. */
  ipSummed(name: string, fallback: number): number {
    const value = this.#get(name);
    if (value === undefined) return fallback;
    if (typeof value === "number" && STATES.includes(value)) return value;
    const n = typeof value === "string" ? IP_SUMMED.indexOf(value.replace(/^CHECKSUM_/, "") as "NONE") : -1;
    return n < 0 ? this.#fail(name, value, `one of ${IP_SUMMED.join(", ")}, or 0 to 3`) : n;
  }

  /** Features: a list of names (the kernel's or ethtool's), or a 64-bit set as a hex string. */
  features(name: string, fallback?: Features): Features {
    const value = this.#get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (Array.isArray(value) && value.every((v) => typeof v === "string")) {
      const set = featureSet(value as string[]);
      if (typeof set === "bigint") return set;
      return this.#fail(name, set, "a feature's name (SG, NETIF_F_SG or tx-scatter-gather)");
    }
    if (typeof value === "string" && /^(0x)?[0-9a-f]{1,16}$/i.test(value))
      return BigInt(`0x${value.replace(/^0x/i, "")}`);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
    return this.#fail(name, value, "a list of feature names, or the set in hex,");
  }

  /** One of some words. */
  choice<T extends string>(name: string, words: readonly T[], fallback?: T): T {
    const value = this.#get(name) ?? fallback;
    const found = words.find((w) => w === value);
    return found ?? this.#fail(name, value, `one of ${words.join(", ")}`);
  }

  /** A list of lengths. */
  lengths(name: string): number[] {
    const value = this.#get(name) ?? [];
    const right = Array.isArray(value) && value.every((n) => Number.isInteger(n) && n >= 0 && n <= MAX_BYTES);
    return right ? (value as number[]) : this.#fail(name, value, "a list of lengths in bytes");
  }

  /** Bytes in a list of hex strings. */
  hexList(name: string): Uint8Array[] {
    const value = this.#get(name) ?? [];
    const all = Array.isArray(value)
      ? value.map((v) => (typeof v === "string" ? hexToBytes(v) : null))
      : [null];
    return all.every((b) => b !== null)
      ? (all as Uint8Array[])
      : this.#fail(name, value, "a list of hex strings");
  }

  /** An object of further fields; empty when absent. */
  object(name: string): Fields {
    const value = this.#get(name) ?? {};
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return this.#fail(name, value, "an object");
    return new Fields(value as Record<string, unknown>, `${this.#path}.${name}`);
  }

  /** The field's numbers by key: `{"4789":"vxlan"}`. */
  entries(name: string): [string, unknown][] {
    const value = this.#get(name) ?? {};
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return this.#fail(name, value, "an object");
    return Object.entries(value);
  }
}

function ipv4Bytes(text: string): Uint8Array | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((p) => /^\d{1,3}$/.test(p) && Number(p) <= 255)) return null;
  return Uint8Array.from(parts.map(Number));
}

/** RFC 4291 text, `::` once, dotted IPv4 at the end. */
function ipv6Bytes(text: string): Uint8Array | null {
  if (!text.includes(":")) return null;
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (tail !== null) {
    const v4 = ipv4Bytes(tail[2]!);
    if (v4 === null) return null;
    const group = (i: number): string => ((v4[i]! << 8) | v4[i + 1]!).toString(16);
    return ipv6Bytes(`${tail[1]}${group(0)}:${group(2)}`);
  }
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const groups = (half: string): string[] => (half === "" ? [] : half.split(":"));
  const [before, after] = [groups(halves[0]!), halves.length === 2 ? groups(halves[1]!) : []];
  const missing = 8 - before.length - after.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...before, ...new Array<string>(missing).fill("0"), ...after];
  if (!all.every((g) => /^[0-9a-f]{1,4}$/i.test(g))) return null;
  return Uint8Array.from(all.flatMap((g) => [Number.parseInt(g, 16) >> 8, Number.parseInt(g, 16) & 255]));
}
