import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { findProgram, type Program, shippedPrograms } from "../src/programs.ts";

/** A version of tx_csum that was current once, before it knew SCTP's CRC. */
const FORMER = fileURLToPath(new URL("fixtures/tx_csum-former.wasm", import.meta.url));

test("a former version is found by its hash, the current one by its name", () => {
  const former: Program = { ...findProgram(FORMER), source: "built in" };
  const [current] = shippedPrograms();
  expect(former.sha256).not.toBe(current!.sha256);
  expect(findProgram(`tx_csum@${former.sha256}`, [former])).toEqual(former);
  expect(findProgram("tx_csum", [former]).sha256).toBe(current!.sha256);
  expect(findProgram(`tx_csum@${current!.sha256}`, [former]).sha256).toBe(current!.sha256);
  const unknown = `tx_csum@sha256:${"0".repeat(64)}`;
  expect(() => findProgram(unknown, [former])).toThrow(`there is ${current!.sha256}, ${former.sha256}`);
  // by its hash only under its own name
  expect(() => findProgram(`rx_csum@${former.sha256}`, [former])).toThrow("has no version");
});
