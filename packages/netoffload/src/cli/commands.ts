/** Every command of the executable, one file each or per group; a new command is a row here. */
import type { Command } from "./command.ts";
import { cprCommands } from "./cpr.ts";
import { csumCommands } from "./csum.ts";
import { devCommands } from "./dev.ts";
import { devlinkCommand } from "./devlink.ts";
import { dissectCommand } from "./dissect.ts";
import { ethtoolCommand } from "./ethtool.ts";
import { evalCommand } from "./eval.ts";
import { liveCommands } from "./live.ts";
import { liveAttachCommand } from "./live-attach.ts";
import { liveLoadCommand } from "./live-load.ts";
import { programCommands } from "./program.ts";
import { programRunCommand } from "./program-run.ts";
import { reportCommands } from "./report.ts";
import { verifyCommand } from "./verify.ts";

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  verifyCommand,
  ...reportCommands,
  ...csumCommands,
  ...cprCommands,
  dissectCommand,
  evalCommand,
  ...programCommands,
  programRunCommand,
  ...devCommands,
  devlinkCommand,
  ethtoolCommand,
  liveLoadCommand,
  liveAttachCommand,
  ...liveCommands,
];
