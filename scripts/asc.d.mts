// Types of asc.mjs, which the first step of a build runs before anything else is there.
export const BASE_FLAGS: readonly string[];
export const COMPILER: string;
export function programFlags(k: number): string[];
export function compile(
  root: string,
  entry: string,
  flags: readonly string[],
): Promise<{ binary: Uint8Array | null; messages: string }>;
