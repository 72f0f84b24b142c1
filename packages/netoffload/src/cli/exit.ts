/** Exit codes of the command line; stable, other people's rigs read them. */
export const EXIT = {
  ok: 0,
  difference: 1,
  usage: 2,
  facility: 3,
  internal: 70,
  interrupted: 130,
} as const;

/** A message for the user that ends the command with an exit code of its own. */
export class CliError extends Error {
  readonly exit: number;
  constructor(exit: number, message: string) {
    super(message);
    this.name = "CliError";
    this.exit = exit;
  }
}

/** Bad usage or bad input: what, where, and what would be accepted. */
export function usageError(message: string): CliError {
  return new CliError(EXIT.usage, message);
}

/** A facility of this machine is missing and was required. */
export function facilityError(message: string): CliError {
  return new CliError(EXIT.facility, message);
}

/** Several outcomes in one run: the first of 3, 2, 1 wins. */
export class Outcome {
  #worst = 0;
  /** Note one outcome: 0, 1, 2 or 3. */
  note(code: 0 | 1 | 2 | 3): void {
    if (code > this.#worst) this.#worst = code;
  }
  get code(): number {
    return this.#worst;
  }
}
