import { OffloadError } from "@netoffload/internal";

/** What a caller can do wrong here. */
export type CprIrErrorCode = "EINVAL" | "ENOTSUP";

/** Thrown for caller mistakes only; untrusted bytes end in diagnostics. */
export class CprIrError extends OffloadError<CprIrErrorCode> {}
