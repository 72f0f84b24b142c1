import { OffloadError } from "@netoffload/internal";

/** What a caller of the model can do wrong. */
export type NicErrorCode = "EINVAL" | "ENOMEM";

/** Thrown for caller mistakes only; packets, images and profiles never throw. */
export class NicError extends OffloadError<NicErrorCode> {}
