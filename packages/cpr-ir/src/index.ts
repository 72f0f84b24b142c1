/**
 * Offload programs as hashed intermediate representation: profile, canonical form, images, compilers to devices.
 *
 * @packageDocumentation
 */
export {};
