/**
 * The devlink control path.
 *
 * ```text
 * file name → firmware look-up → container checks → staging → activate → post-check → offloads decided anew
 * ```
 *
 * @packageDocumentation
 */
export * from "./errno.ts";
export * from "./ops.ts";
export * from "./permit.ts";
