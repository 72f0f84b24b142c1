/** Every command of the executable. */
import type { Command } from "./command.ts";
import { programCommands } from "./program.ts";
import { verifyCommand } from "./verify.ts";

/** A command, and whether its words are parsed by itself (a mirror of another tool's command line). */
export type AnyCommand = Command & { readonly raw?: boolean };

/** All commands, in the order of the help. */
export const COMMANDS: readonly AnyCommand[] = [verifyCommand, ...programCommands];
