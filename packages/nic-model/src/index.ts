/**
 * A programmable NIC and its driver: engines, rings, resources, profiles, faults.
 *
 * @packageDocumentation
 */
export {};
