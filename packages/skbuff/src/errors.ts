import { OffloadError } from "@netoffload/internal";

/** What a caller can do wrong, or what the kernel would panic over. */
export type SkbuffErrorCode =
  | "ENOMEM"
  | "EINVAL"
  | "skb_over_panic"
  | "skb_under_panic"
  | "skb_pull_panic"
  | "use_after_free"
  | "double_free"
  | "wasm_unavailable";

/** Thrown for caller mistakes only; packet content never throws. */
export class SkbuffError extends OffloadError<SkbuffErrorCode> {}
