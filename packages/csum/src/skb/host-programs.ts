/** The host's side of the offload programs: the committed modules linked to a memory and its units. */
import { base64ToBytes } from "@netoffload/internal";
import type { Memory } from "@netoffload/skbuff";
import { RX_CSUM_WASM } from "../generated/rx_csum.ts";
import { TX_CSUM_WASM } from "../generated/tx_csum.ts";

/** Entries of both programs; they take an skb's address and give 0 or a negative errno. */
export interface HostPrograms {
  /** skb_checksum_help: fill in what a PARTIAL packet owes. */
  readonly txCsum: (skb: number) => number;
  /** CHECKSUM_COMPLETE over [data, data + len). */
  readonly rxCsum: (skb: number) => number;
}

let tx: WebAssembly.Module | undefined;
let rx: WebAssembly.Module | undefined;

/** Link the programs to a memory. Both may be called as often as wanted; nothing is allocated per call. */
export function hostPrograms(memory: Memory): HostPrograms {
  tx ??= new WebAssembly.Module(base64ToBytes(TX_CSUM_WASM));
  rx ??= new WebAssembly.Module(base64ToBytes(RX_CSUM_WASM));
  const imports = {
    env: { memory: memory.wasm },
    accel1: memory.accel1 as unknown as Record<string, unknown>,
  };
  return {
    txCsum: new WebAssembly.Instance(tx, imports).exports.tx_csum as (skb: number) => number,
    rxCsum: new WebAssembly.Instance(rx, imports).exports.rx_csum as (skb: number) => number,
  };
}
