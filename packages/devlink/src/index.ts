/**
 * The devlink control path: info, reload, parser_fetch, firmware look-up, offload permits.
 *
 * @packageDocumentation
 */
export {};
