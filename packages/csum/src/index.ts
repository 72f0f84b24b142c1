/**
 * Internet checksums exactly as the Linux kernel computes, checks and offloads them.
 *
 * @packageDocumentation
 */
export {};
