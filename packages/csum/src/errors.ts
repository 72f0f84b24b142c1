import { OffloadError } from "@netoffload/internal";

/** What a caller of this package can do wrong: where the kernel stops with BUG. */
export type CsumErrorCode = "EINVAL" | "skb_checksum_bug" | "skb_pull_bug";

/** Thrown for caller mistakes only; packet content never throws. */
export class CsumError extends OffloadError<CsumErrorCode> {}
