/**
 * Network offloads provably equal to the Linux kernel: verify, checksums, programs, devices.
 *
 * @packageDocumentation
 */
export {};
