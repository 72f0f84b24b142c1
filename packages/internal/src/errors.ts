/**
 * The shape every package's error class shares: branch on `code`, read `details`.
 * Thrown only for caller mistakes; packet content never throws.
 */
export class OffloadError<Code extends string = string> extends Error {
  readonly code: Code;
  /** Positive errno number where the code is an errno name, else 0. */
  readonly errno: number;
  readonly details: Readonly<Record<string, number | string>>;

  constructor(
    code: Code,
    message: string,
    details: Readonly<Record<string, number | string>> = {},
    options?: { errno?: number; cause?: unknown },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.errno = options?.errno ?? 0;
    this.details = details;
  }
}
