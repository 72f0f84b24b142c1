import { OPT_COMMENT, type OptionWalk, utf8 } from "./options.ts";
import { unitsPerSecond } from "./timestamp.ts";

/** One capturing interface: a pcapng interface description block, or the one that a pcap file's header implies. */
export interface CaptureInterface {
  /** Number of the section (0-based), 0 for pcap. */
  readonly section: number;
  /** Number within its section. */
  readonly id: number;
  readonly linkType: number;
  /** Most bytes captured of a packet; 0: no limit. */
  readonly snaplen: number;
  /** Time stamp units a second (if_tsresol); a bigint where a number would not be exact. */
  readonly unitsPerSecond: number | bigint;
  /** Seconds added to every time stamp (if_tsoffset); reading has already added them. */
  readonly tsOffsetSeconds: number;
  /** Bytes of frame check sequence at the end of each packet, or -1 when the file does not say. */
  readonly fcsLen: number;
  readonly name: string;
  readonly description: string;
  readonly comments: readonly string[];
}

const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const IF_TSRESOL = 9;
const IF_FCSLEN = 13;
const IF_TSOFFSET = 14;

/**
 * Read the body of an interface description block.
 * @param bytes - the reader's buffer, with its `view`
 * @param offset - of the body (its link type field) in the buffer
 * @param end - of the body
 * @param walk - scratch; its `badAt` tells of a damaged option list
 */
export function readInterface(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  end: number,
  littleEndian: boolean,
  section: number,
  id: number,
  walk: OptionWalk,
): CaptureInterface {
  let units: number | bigint = 1e6;
  let tsOffsetSeconds = 0;
  let fcsLen = -1;
  let name = "";
  let description = "";
  const comments: string[] = [];
  walk.start(view, offset + 8, end, littleEndian);
  while (walk.next()) {
    const at = walk.offset;
    const text = (): string => utf8(bytes.slice(at, at + walk.length));
    if (walk.code === IF_TSRESOL && walk.length >= 1) units = unitsPerSecond(bytes[at]!);
    else if (walk.code === IF_TSOFFSET && walk.length >= 8)
      tsOffsetSeconds = Number(view.getBigInt64(at, littleEndian));
    else if (walk.code === IF_FCSLEN && walk.length >= 1) fcsLen = bytes[at]!;
    else if (walk.code === IF_NAME) name = text();
    else if (walk.code === IF_DESCRIPTION) description = text();
    else if (walk.code === OPT_COMMENT) comments.push(text());
  }
  return {
    section,
    id,
    linkType: view.getUint16(offset, littleEndian),
    snaplen: view.getUint32(offset + 4, littleEndian),
    unitsPerSecond: units,
    tsOffsetSeconds,
    fcsLen,
    name,
    description,
    comments,
  };
}
