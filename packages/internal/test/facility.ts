/** What a test needs and a machine may lack. */
import { spawnSync } from "node:child_process";

/**
 * Is an optional facility here? A skip is said aloud; where CI=true everything must run, so that it throws.
 * @param name - what the test needs
 * @param present - whether it is there
 * @param how - how to get it
 * @returns `present`
 */
export function facility(name: string, present: boolean, how: string): boolean {
  if (present) return true;
  const message = `SKIPPED: ${name} is not here (${how})`;
  if (process.env.CI === "true") throw new Error(message);
  console.warn(message);
  return false;
}

/** True when a program starts and ends well. */
export function has(command: string, args: readonly string[] = ["--version"]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}
