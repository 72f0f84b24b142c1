/** The identity of a program: SHA-256 over its canonical IR bytes; SHA-1, which the paper names, only beside it. */

import { bytesToHex } from "@netoffload/internal";
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** Both digests of one IR. */
export interface ProgramHash {
  /** `sha256:` + 64 lower-case hex digits. */
  readonly sha256: string;
  /** 40 lower-case hex digits; never compared. */
  readonly sha1: string;
}

/** Hash IR bytes exactly as given; canonicalise before. */
export function hashProgram(ir: Uint8Array): ProgramHash {
  return { sha256: `sha256:${bytesToHex(sha256(ir))}`, sha1: bytesToHex(sha1(ir)) };
}

/** SHA-256 of any bytes. */
export function sha256Bytes(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}
