/** Which checksum of a captured frame is driven, or why none is. */
import type { OracleAnswer, OracleChecksum } from "../../test/ref/oracle.ts";
import type { NotApplicable } from "../report.ts";

/**
 * The innermost checksum the stack could ask for by (csum_start, csum_offset), or the reason why there is none.
 * What follows an outer checksum that can be asked for (an inner fragment, a payload cut short inside a tunnel)
 * does not keep the outer one from being driven.
 */
export function targetOf(answer: OracleAnswer): OracleChecksum | NotApplicable {
  const { checksums, stop } = answer;
  if (checksums.length > 0) return checksums[checksums.length - 1]!;
  switch (stop) {
    case "fragment_not_first":
      return "fragment_not_first";
    case "fragment_first":
      return "fragment_first_incomplete";
    case "truncated":
      return "truncated_by_capture";
    case "malformed":
    case "unknown_destination":
      return "malformed";
    default:
      return "no_l4_checksum";
  }
}

/** Bytes of the link-layer header before L3, by LINKTYPE number; where L3 is unknown, all bytes count as L3. */
export function l2LengthOf(linkType: number): number {
  switch (linkType) {
    case 1:
      return 14;
    case 113:
      return 16;
    case 276:
      return 20;
    case 0:
    case 108:
      return 4;
    default:
      return 0;
  }
}

/** Bytes of L3 that a frame on the wire may have. */
export const MTU = 1500;
