/** The package's offload programs: committed IR, the same bytes that are hashed and compiled for devices. */
import { base64ToBytes } from "@netoffload/internal";
import { FUNCTION_NUMBER } from "@netoffload/skbuff";
import { RX_CSUM_EARLIER, RX_CSUM_SHA256, RX_CSUM_WASM } from "./generated/rx_csum.ts";
import { TX_CSUM_EARLIER, TX_CSUM_SHA256, TX_CSUM_WASM } from "./generated/tx_csum.ts";

/** One offload program. */
export interface OffloadProgram {
  /** Its entry's export. */
  readonly name: "tx_csum" | "rx_csum";
  /** Static region of ABI 1. */
  readonly functionNumber: number;
  /** `sha256:` + hex over {@link OffloadProgram.ir}. */
  readonly sha256: string;
  /** Canonical bytes; a fresh copy. */
  ir(): Uint8Array<ArrayBuffer>;
}

function offloadProgram(name: OffloadProgram["name"], sha256: string, wasm: string): OffloadProgram {
  return { name, functionNumber: FUNCTION_NUMBER[name], sha256, ir: () => base64ToBytes(wasm) };
}

/** Transmit checksum: fills in what a CHECKSUM_PARTIAL packet owes, a checksum or SCTP's CRC. */
export const txCsum: OffloadProgram = /* @__PURE__ */ offloadProgram("tx_csum", TX_CSUM_SHA256, TX_CSUM_WASM);

/** Receive checksum: the sum over the whole packet, CHECKSUM_COMPLETE. */
export const rxCsum: OffloadProgram = /* @__PURE__ */ offloadProgram("rx_csum", RX_CSUM_SHA256, RX_CSUM_WASM);

/** Former versions of both, oldest first: devices in the field may still hold them. */
export const earlierPrograms: readonly OffloadProgram[] = /* @__PURE__ */ (() => [
  ...TX_CSUM_EARLIER.map(([sha256, wasm]) => offloadProgram("tx_csum", sha256, wasm)),
  ...RX_CSUM_EARLIER.map(([sha256, wasm]) => offloadProgram("rx_csum", sha256, wasm)),
])();
