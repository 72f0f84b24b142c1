/** What every live test needs. */
import { existsSync } from "node:fs";
import { facility } from "../../../internal/test/facility.ts";

/** Linux, root and the tap driver, or a skip said aloud. */
export const live: boolean = facility(
  "the live kernel",
  process.platform === "linux" && process.getuid?.() === 0 && existsSync("/dev/net/tun"),
  "Linux, root and /dev/net/tun: modprobe tun",
);
