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
  /** The computed checksum is 0. */
  zero: ["no", "yes"],
  /** The frame ends anywhere behind its Ethernet header. */
  truncated: ["no", "yes"],
  /** Length fields of the headers say anything. */
  lies: ["no", "yes"],
  /** csum_start or csum_offset at and beyond each limit; `inside` otherwise. */
  bound: [
    "inside",
    "start-before",
    "start-below",
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
/** A limit, or none. */
export type Bound = CsumCell["bound"];

/** What a limit leaves open. */
export interface BoundTraits {
  /** How it comes to the kernel: by a virtio_net_hdr, whose own limits are among these, or straight to the checksum. */
  readonly route: "tap" | "skb";
  /** Parity of the start: any, or what the limit makes it. */
  readonly start: "any" | "even" | "odd" | "as length" | "not as length";
  /** At least a word is summed, so that a checksum of 0 can be made. */
  readonly sums: boolean;
  /** No packet within this limit can succeed; then at most one thing more is wrong with it. */
  readonly refused: boolean;
}

const traits = (
  route: BoundTraits["route"],
  start: BoundTraits["start"] = "any",
  sums = true,
): BoundTraits => ({ route, start, sums, refused: false });
const refused = (
  route: BoundTraits["route"],
  start: BoundTraits["start"] = "any",
  sums = true,
): BoundTraits => ({ route, start, sums, refused: true });

/** By limit. */
export const BOUNDS: Readonly<Record<Bound, BoundTraits>> = {
  inside: traits("tap"),
  "start-before": refused("skb", "any", false),
  "start-below": traits("skb"),
  "start-19": refused("tap", "odd"),
  "start-20": traits("tap", "even"),
  "start-last": traits("skb", "as length"),
  "start-last+1": refused("skb", "not as length", false),
  "start-end": refused("skb", "as length", false),
  "start-beyond": refused("skb", "any", false),
  "start-max": refused("tap", "any", false),
  "offset-0": traits("tap"),
  "offset-last": traits("skb"),
  "offset-last+1": refused("skb"),
  "offset-beyond": refused("skb"),
  "offset-max": refused("tap"),
};

const IPV4_EXTENSIONS: readonly string[] = ["none", "options"];

/** Can the values occur together? */
function possible(cell: CsumCell): boolean {
  if ((cell.family === "ipv4") !== IPV4_EXTENSIONS.includes(cell.extension) && cell.extension !== "none")
    return false;
  const { start, sums, refused: never } = BOUNDS[cell.bound];
  if (cell.zero === "yes" && !sums) return false;
  if (never && [cell.zero, cell.truncated, cell.lies].filter((v) => v === "yes").length > 1) return false;
  // the kernel forgets what starts before a tag's end
  if (cell.bound === "start-before" && cell.vlan !== "0") return false;
  switch (start) {
    case "any":
      return true;
    case "as length":
      return cell.start === cell.length;
    case "not as length":
      return cell.start !== cell.length;
    default:
      return cell.start === start;
  }
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
