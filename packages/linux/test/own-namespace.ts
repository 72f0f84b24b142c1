/** Tests that make interfaces: this process enters a namespace of its own and returns when the file is done. */
import { existsSync } from "node:fs";
import { afterAll, beforeAll } from "vitest";
import { facility } from "../../internal/test/facility.ts";
import { enterNewNetworkNamespace, libc, ok } from "../src/index.ts";

/** Root and the tap driver, or a skip said aloud. */
export const live: boolean = facility(
  "the live kernel",
  process.platform === "linux" && process.getuid?.() === 0 && existsSync("/dev/net/tun"),
  "Linux, root and /dev/net/tun: modprobe tun",
);

/** Enter before the first test of the file, leave after the last. */
export function ownNamespace(): void {
  let before = -1;
  beforeAll(() => {
    before = ok(libc().open("/proc/thread-self/ns/net", 0), "the namespace of this thread");
    enterNewNetworkNamespace();
  });
  afterAll(() => {
    ok(libc().setns(before, 0), "back");
    libc().close(before);
  });
}
