import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesToHex } from "@netoffload/internal";
import { afterAll, expect, test } from "vitest";
import { eth, ipv4, noise, pseudo4, tcp, udp } from "../../../csum/test/check/build.ts";
import { run } from "./run.ts";

const dir = mkdtempSync(join(tmpdir(), "encap-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** A classic pcap with one Ethernet frame. */
function pcap(frame: Uint8Array): Uint8Array {
  const out = new Uint8Array(40 + frame.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, 0xa1b2c3d4, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, 65535, true);
  view.setUint32(20, 1, true);
  view.setUint32(32, frame.length, true);
  view.setUint32(36, frame.length, true);
  out.set(frame, 40);
  return out;
}
const inFou = (field: "right" | "wrong" | "seed"): Uint8Array =>
  eth(0x0800, ipv4(17, udp(ipv4(6, tcp(noise(40), pseudo4, field)), pseudo4, 0, 5555)));

test("foo over UDP is found and filled in where its port is told", async () => {
  const file = join(dir, "fou.pcap");
  writeFileSync(file, pcap(inFou("seed")));
  const found = async (...options: string[]): Promise<string[]> => {
    const { json } = await run("csum", "check", file, "--json", "--verbose", ...options);
    const packet = json.find((l) => l.packet === 1) as { layers: { layer: string; verdict: string }[] };
    return packet.layers.map((l) => `${l.layer}:${l.verdict}`);
  };
  expect(await found()).toEqual(["ipv4:ok", "udp:absent"]);
  expect(await found("--udp-encap", "5555=fou:ipip")).toEqual([
    "ipv4:ok",
    "udp:absent",
    "ipv4:ok",
    "tcp:partial",
  ]);
  const out = join(dir, "fixed.pcap");
  expect((await run("csum", "fix", file, "-o", out, "--udp-encap", "5555=fou:4")).code).toBe(0);
  expect(bytesToHex(new Uint8Array(readFileSync(out)).subarray(40))).toBe(bytesToHex(inFou("right")));
});

test("what is accepted is said", async () => {
  for (const bad of ["x=gue", "70000=gue", "1=nothing", "1=fou:", "1=fou:300", ""]) {
    const { code, err } = await run("csum", "check", "nofile", "--udp-encap", bad);
    expect([code, err.includes("PORT=KIND")], bad).toEqual([2, true]);
  }
});
