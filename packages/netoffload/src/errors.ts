import { OffloadError } from "@netoffload/internal";

/** A mistake of the caller, or a facility that failed; `code` is an errno name. */
export class NetoffloadError extends OffloadError {}
