// accel1.copy: memmove. memory.copy is used where it is fast; between unlike alignments above 2 kB the C
// library's string move is up to 28 times slower than a vector loop.

/** Copy len bytes as if through a buffer of its own (overlap allowed). */
export function copy(dst: usize, src: usize, len: u32): void {
  memory.copy(dst, src, len);
}
