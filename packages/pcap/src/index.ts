/**
 * pcap and pcapng, read and write, streaming in bounded memory.
 *
 * @packageDocumentation
 */
export {};
