import { OffloadError } from "@netoffload/internal";

/** What a caller of this package can do wrong. A capture's content never throws: see {@link CaptureFault}. */
export type PcapErrorCode = "EINVAL" | "EBUSY" | "ERANGE" | "ENOTSUP";

/** Thrown for caller mistakes only: branch on `code`, read `details`. */
export class PcapError extends OffloadError<PcapErrorCode> {}
