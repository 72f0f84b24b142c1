/** Something a test needs that a machine may lack. */
import { execFileSync } from "node:child_process";

/**
 * @param present - whether it is there
 * @param how - how to get it
 * @returns `present`; says a skip aloud, and throws where CI=true, since there everything must run
 */
export function facility(name: string, present: boolean, how: string): boolean {
  if (present) return true;
  const message = `SKIPPED: ${name} is not here (${how})`;
  if (process.env.CI === "true") throw new Error(message);
  console.warn(message);
  return false;
}

/** Whether a program answers to `--version`. */
export function has(program: string): boolean {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
