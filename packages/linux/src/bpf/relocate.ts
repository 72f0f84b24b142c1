/** Immediates that only a loader knows. */
import { LinuxError } from "../errors.ts";

/**
 * An immediate to complete: the arena's map or the address of a map's value in a 64-bit load, the memory's limit or the
 * number of CPUs added to 32 bits.
 */
export interface BpfRelocation {
  /** 8-byte slot of the instruction. */
  readonly slot: number;
  readonly symbol: "arena" | "limit" | "state" | "slots";
}

/** What a loader knows: descriptors of maps, numbers. */
export type BpfSymbols = Partial<Readonly<Record<BpfRelocation["symbol"], number>>>;

/** Source registers of a 64-bit load that make its immediate a map, or the address of a map's value. */
const PSEUDO: Partial<Record<BpfRelocation["symbol"], number>> = { arena: 1, state: 2 };

/** Complete code. @returns a copy; throws LinuxError EINVAL for a symbol that is not given */
export function relocate(
  code: Uint8Array,
  relocations: readonly BpfRelocation[],
  symbols: BpfSymbols,
): Uint8Array<ArrayBuffer> {
  const text = code.slice();
  const view = new DataView(text.buffer);
  for (const { slot, symbol } of relocations) {
    const at = 8 * slot;
    const value = symbols[symbol];
    if (value === undefined)
      throw new LinuxError("EINVAL", `bpf: code asks for ${symbol}, which programs of its kind have not`, {
        slot,
      });
    const pseudo = PSEUDO[symbol];
    if (pseudo === undefined) view.setInt32(at + 4, view.getInt32(at + 4, true) + value, true);
    else {
      text[at + 1] = (text[at + 1]! & 0x0f) | (pseudo << 4);
      view.setInt32(at + 4, value, true);
    }
  }
  return text;
}
