/** Headers cut into fields, and metadata memory cut into cells: as fine as the parser needs, no finer. */

/** An expression of P4 and its width in bits; compound ones carry their parentheses. */
export interface Value {
  readonly text: string;
  readonly width: number;
}

/** Bytes of one header, cut where something reads them. */
export class HeaderLayout {
  readonly type: string;
  /** The member of the parser's `hdr`. */
  readonly member: string;
  readonly bytes: number;
  readonly #cuts: Set<number>;
  /** Whether a field of it was read. */
  used = false;

  constructor(member: string, bytes: number) {
    this.member = member;
    this.type = `${member}_t`;
    this.bytes = bytes;
    this.#cuts = new Set([0, bytes]);
  }

  /** Bytes `off` to `off + len - 1`, the first one in the highest bits. */
  read(off: number, len: number): Value {
    this.used = true;
    this.#cuts.add(off).add(off + len);
    const parts = this.fields()
      .filter((f) => f.off >= off && f.off + f.len <= off + len)
      .map((f) => `hdr.${this.member}.${f.name}`);
    return { text: parts.length === 1 ? parts[0]! : `(${parts.join(" ++ ")})`, width: 8 * len };
  }

  /** Fields in order. */
  fields(): { name: string; off: number; len: number }[] {
    const cuts = [...this.#cuts].sort((a, b) => a - b);
    return cuts.slice(0, -1).map((off, i) => {
      const len = cuts[i + 1]! - off;
      return { name: len === 1 ? `b${off}` : `b${off}_${off + len - 1}`, off, len };
    });
  }
}

/** Bytes that belong together because one write covers them. */
export interface Cell {
  readonly off: number;
  readonly len: number;
}

/** Bytes of the metameta area or of a frame that are written. */
export class MemoryLayout {
  /** `meta.` and a member, the frame in progress or the metameta area. */
  readonly base: string;
  readonly #names: ReadonlyMap<number, string>;
  readonly #ranges: Map<string, Cell> = new Map();

  constructor(base: string, names: ReadonlyMap<number, string>) {
    this.base = base;
    this.#names = names;
  }

  /** Bits `shift` to `shift + bits - 1` (0 the lowest of the last byte) of bytes `off` to `off + len - 1`. */
  place(off: number, len: number, shift = 0, bits: number = 8 * len): string {
    this.#ranges.set(`${off} ${len}`, { off, len });
    const cell = this.cells().find((c) => c.off <= off && off + len <= c.off + c.len)!;
    const low = 8 * (cell.off + cell.len - off - len) + shift;
    const name = `${this.base}.${this.name(cell)}`;
    return low === 0 && bits === 8 * cell.len ? name : `${name}[${low + bits - 1}:${low}]`;
  }

  /** Name of a cell's field. */
  name(cell: Cell): string {
    const name = this.#names.get(cell.off);
    if (name === undefined) return `at${cell.off}`;
    const more = [...this.#names].filter(([off]) => off > cell.off && off < cell.off + cell.len);
    // `src` alone would be a lie for both addresses
    return more.length === 0 ? name : [name, ...more.map(([, other]) => other)].join("_");
  }

  /** Ranges that overlap are one cell; ascending. */
  cells(): Cell[] {
    const out: { off: number; len: number }[] = [];
    for (const r of [...this.#ranges.values()].sort((a, b) => a.off - b.off)) {
      const last = out.at(-1);
      if (last !== undefined && r.off < last.off + last.len)
        last.len = Math.max(last.len, r.off + r.len - last.off);
      else out.push({ ...r });
    }
    return out;
  }
}
