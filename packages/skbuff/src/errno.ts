/** Errno numbers as Linux has them (asm-generic); functions return them negated. */

/** Invalid argument. */
export const EINVAL = 22;
