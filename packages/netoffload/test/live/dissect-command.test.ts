/** What `netoffload dissect` prints is what the running kernel's own C finds: payload offset and keys. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FLOW_KEYS, KernelDissector } from "@netoffload/linux";
import { afterAll, describe, expect, it } from "vitest";
import { allPackets } from "../../../cpr-ir/test/helpers/captures.ts";
import { seedPackets } from "../../../cpr-ir/test/helpers/seeds.ts";
import { isTagged } from "../../src/live/dissect-expect.ts";
import { run } from "../cli/run.ts";
import { live } from "./facility.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

interface Answer {
  readonly flow_keys: Readonly<Record<string, number | string>>;
  readonly poff: number;
}

describe.runIf(live)("dissect beside the running kernel", () => {
  const scratch = mkdtempSync(join(tmpdir(), "netoffload-dissect-"));
  afterAll(() => rmSync(scratch, { recursive: true }));
  // the stack takes the outer tag off before anybody looks, and drops what is too short
  const frames = [...allPackets(), ...seedPackets()].filter(
    (f) => f.length >= 20 && f.length < 2000 && !isTagged(f) && ((f[12]! << 8) | f[13]!) >= 0x600,
  );

  async function answers(flags: number): Promise<Answer[]> {
    const path = join(scratch, "frames.jsonl");
    const lines = frames.map((f, id) => JSON.stringify({ id, frame: hex(f), flags }));
    writeFileSync(path, `${lines.join("\n")}\n`);
    return (await run("dissect", path)).json as unknown as Answer[];
  }

  it("payload offsets of every capture", async () => {
    const mine = await answers(0);
    const kernel = await KernelDissector.open();
    let asked = 0;
    for (let at = 0; at < frames.length; at += 1024) {
      for (const f of frames.slice(at, at + 1024)) kernel.add(f);
      for (const [i, r] of (await kernel.run()).results.entries()) {
        if (r.outcome !== "dissected") continue;
        asked++;
        if ((mine[at + i]!.poff & 0xffff) !== r.poff)
          expect.fail(`${hex(frames[at + i]!)}: ${mine[at + i]!.poff}, the kernel says ${r.poff}`);
      }
    }
    await kernel.close();
    expect(asked).toBeGreaterThan(0.99 * frames.length);
  });

  it("keys of every capture", async () => {
    const mine = await answers(2);
    const kernel = await KernelDissector.open();
    let asked = 0;
    for (let at = 0; at < frames.length; at += 1024) {
      for (const f of frames.slice(at, at + 1024)) kernel.add(f);
      for (const [i, r] of (await kernel.flowKeys()).results.entries()) {
        if (r.outcome !== "dissected") continue;
        asked++;
        const { keys } = r;
        const view = new DataView(keys.buffer, keys.byteOffset);
        const ours = mine[at + i]!.flow_keys;
        const addresses = { 2: 4, 3: 16 }[ours.addr_type as number] ?? 0;
        const ends = [ours.src, ours.dst].map(String).sort();
        const theirs = [0, 1]
          .map((n) => FLOW_KEYS.addrs + n * addresses)
          .map((o) => hex(keys.slice(o, o + addresses)));
        const told = {
          thoff: view.getUint16(FLOW_KEYS.thoff, true),
          n_proto: view.getUint16(FLOW_KEYS.nProto, false),
          ip_proto: keys[FLOW_KEYS.ipProto],
          addr_type: view.getUint16(FLOW_KEYS.addrType, true),
          flags: view.getUint32(FLOW_KEYS.flags, true),
          flow_label: view.getUint32(FLOW_KEYS.flowLabel, true),
          gre_keyid: hex(keys.slice(FLOW_KEYS.keyid, FLOW_KEYS.keyid + 4)),
        };
        const note = hex(frames[at + i]!);
        expect(ours, note).toMatchObject(told);
        // for the hash both ends are put in an order
        if (addresses > 0) expect(ends, note).toEqual(theirs.sort());
        const ports = hex(keys.slice(FLOW_KEYS.ports, FLOW_KEYS.ports + 4));
        const own = String(ours.ports);
        if (addresses > 0) expect([own, own.slice(4) + own.slice(0, 4)], note).toContain(ports);
      }
    }
    await kernel.close();
    expect(asked).toBeGreaterThan(0.99 * frames.length);
  });
});
