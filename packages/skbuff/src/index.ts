/**
 * sk_buffs, wire headers and virtio_net_hdr in one linear memory, laid out for WebAssembly and devices alike.
 *
 * @packageDocumentation
 */
export {};
