// `verify --device exec:CMD` with a device in another language.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { facility } from "../../../internal/test/facility.ts";
import { run } from "./run.ts";

const python = facility(
  "python3",
  spawnSync("python3", ["--version"]).status === 0,
  "apt-get install python3",
);
const DEVICE = fileURLToPath(new URL("./exec-device.py", import.meta.url));
const CAPTURE = fileURLToPath(new URL("../../captures/bundled.pcapng", import.meta.url));

interface Report {
  state: string;
  offloaded: number;
  mismatches: number;
  compared: number;
  checked_against_capture: number;
}

async function verify(
  ...more: string[]
): Promise<{ code: number; tx: Report; rx: Report; kinds: unknown[] }> {
  const [fault = "", ...options] = more;
  const { json, code } = await run(
    "verify",
    CAPTURE,
    "--device",
    `exec:python3 '${DEVICE}' ${fault}`,
    "--json",
    ...options,
  );
  const { offloads } = json.at(-1) as unknown as { offloads: { tx_csum: Report; rx_csum: Report } };
  const kinds = [...new Set(json.filter((l) => l.mismatch !== undefined).map((l) => l.kind))].sort();
  return { code, tx: offloads.tx_csum, rx: offloads.rx_csum, kinds };
}

describe.runIf(python)("a device in Python behind a pipe", () => {
  test("does what the kernel does, on every packet of the bundled capture", async () => {
    const { code, tx, rx } = await verify();
    expect(code).toBe(0);
    expect([tx.state, tx.mismatches, rx.mismatches]).toEqual(["LEGACY", 0, 0]);
    expect(tx.offloaded).toBeGreaterThan(100);
    expect([tx.compared, rx.compared]).toEqual([tx.offloaded, rx.offloaded]);
    expect(tx.checked_against_capture).toBeGreaterThan(100);
  });

  test("a wrong sum is a mismatch of the device with the kernel", async () => {
    const { code, kinds, rx } = await verify("wrong");
    expect(code).toBe(1);
    expect(rx.mismatches).toBeGreaterThan(10);
    expect(kinds).toContain("device_kernel");
  });

  test("an answer that does not come is a mismatch by name", async () => {
    const { code, kinds } = await verify("silent", "--timeout", "4");
    expect(code).toBe(1);
    expect(kinds).toContain("no_answer_in_time");
  });
});
