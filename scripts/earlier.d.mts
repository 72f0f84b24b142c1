/** A constant of [hash, base64] pairs, oldest first: former versions of a program in `dir`, by its HASHES. */
export function earlierSource(dir: string, name: string): string;
