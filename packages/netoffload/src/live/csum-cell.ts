/** The matrix that a differential run of the checksum programs must cover, cell by cell. */

/** Each dimension and its values. A cell has one value of each, as far as they can occur together. */
export const DIMENSIONS = {
  family: ["ipv4", "ipv6"],
  l4: ["tcp", "udp", "icmp"],
  /** IPv4 options or IPv6 extension headers. */
  extension: ["none", "options", "hop", "destination", "routing", "fragment", "chain"],
  vlan: ["0", "1", "2"],
  start: ["even", "odd"],
  length: ["even", "odd"],
  /** `zero`: the computed checksum is 0; `lies`: length fields of the headers say anything. */
  content: ["random", "zero", "truncated", "lies"],
  /** csum_start or csum_offset at and beyond each limit; `inside` otherwise. */
  bound: [
    "inside",
    "start-19",
    "start-20",
    "start-last",
    "start-last+1",
    "start-end",
    "start-beyond",
    "start-max",
    "offset-0",
    "offset-last",
    "offset-last+1",
    "offset-beyond",
    "offset-max",
  ],
} as const;

/** Name of a dimension. */
export type Dimension = keyof typeof DIMENSIONS;
/** One cell. */
export type CsumCell = { readonly [D in Dimension]: (typeof DIMENSIONS)[D][number] };

const IPV4_EXTENSIONS: readonly string[] = ["none", "options"];

/** Can the values occur together? */
function possible(cell: CsumCell): boolean {
  if ((cell.family === "ipv4") !== IPV4_EXTENSIONS.includes(cell.extension) && cell.extension !== "none")
    return false;
  // a limit fixes where the sum begins, and what is refused has no content to vary
  return cell.bound === "inside" || (cell.start === "even" && cell.content === "random");
}

/** Every cell, in a fixed order. */
export function csumCells(): CsumCell[] {
  let cells: Partial<CsumCell>[] = [{}];
  for (const [dimension, values] of Object.entries(DIMENSIONS))
    cells = cells.flatMap((cell) => values.map((value) => ({ ...cell, [dimension]: value })));
  return (cells as CsumCell[]).filter(possible);
}

/** A cell in one word. */
export function cellName(cell: CsumCell): string {
  return Object.values(cell).join("/");
}
