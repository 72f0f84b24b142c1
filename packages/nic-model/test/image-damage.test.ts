import { seal } from "@netoffload/cpr-ir";
import { expect, test } from "vitest";
import { filled } from "./ref/sum.ts";
import { frame, image, PROGRAMS, Rig } from "./rig.ts";

/** Both offloads in hardware by the right hashes, and a packet that comes out right. */
async function runsOn(rig: Rig, generation: number): Promise<void> {
  expect(rig.instance.generation).toBe(generation);
  for (const { name, sha256 } of PROGRAMS)
    expect(rig.states[name as "tx_csum"]).toMatchObject({ state: "HARDWARE", generation, hash: sha256 });
  const bytes = frame(101);
  const skb = rig.partial(bytes, 34, 16);
  const [sent] = rig.send([skb]);
  expect(sent).toMatchObject({ frame: filled(bytes, 34, 16), completion: { status: 0, generation } });
  skb.kfreeSkb();
}

/** Reload with each damaged image; the old bundle must run on. @returns how many were refused */
async function refuseAll(rig: Rig, count: number, damaged: (i: number) => Uint8Array): Promise<number> {
  const { generation } = rig.instance;
  for (let i = 0; i < count; i++) {
    const answer = await rig.reload(damaged(i));
    if (answer.ok) throw new Error(`damage ${i} was accepted`);
    if (answer.extack === "" || answer.extack.startsWith("driver failed"))
      throw new Error(`damage ${i}: ${answer.extack}`);
    // all of it each time would take long; the rest is looked at often enough to find who breaks it
    if (rig.device.generation !== generation || !rig.device.isEnabled(1))
      throw new Error(`damage ${i} shows`);
    if (i % 997 === 0) await runsOn(rig, generation);
  }
  await runsOn(rig, generation);
  return count;
}

const good = image();

test("an image truncated at every length is refused, the old bundle runs on", async () => {
  const rig = await Rig.make();
  expect(await refuseAll(rig, good.length, (i) => good.subarray(0, i))).toBe(good.length);
}, 120_000);

test("an image with any byte flipped is refused, the old bundle runs on", async () => {
  const rig = await Rig.make();
  const flipped = (i: number): Uint8Array => {
    const bytes = good.slice();
    // one bit here, every bit there
    bytes[i]! ^= i % 2 === 0 ? 0xff : 1 << (i % 8);
    return bytes;
  };
  expect(await refuseAll(rig, good.length, flipped)).toBe(good.length);
}, 300_000);

test("made right again after the flip: refused, or every program is still what its hash says", async () => {
  const one = image({}, ["rx_csum"]);
  const rig = await Rig.make({ image: one });
  const { generation } = rig.instance;
  let accepted = 0;
  for (let i = 0; i < one.length; i += 11) {
    const bytes = one.slice();
    bytes[i]! ^= 1 << (i % 8);
    try {
      seal(bytes);
    } catch {
      // the note is not to be found any more
    }
    const answer = await rig.reload(bytes);
    if (answer.ok) {
      accepted++;
      // a byte that means nothing (padding, an address nobody maps)
      expect(rig.states.rx_csum.state).toBe("HARDWARE");
      const [loaded] = rig.device.programs;
      const { ir, text } = PROGRAMS[1]!;
      expect([Buffer.compare(loaded!.ir, ir), Buffer.compare(loaded!.text, text)]).toEqual([0, 0]);
    } else if (rig.states.rx_csum.state !== "HARDWARE") throw new Error(`flip at ${i}: ${answer.extack}`);
  }
  expect(accepted).toBeLessThan(one.length / 88);
  expect(rig.instance.generation).toBe(generation + accepted);
}, 300_000);

test("another program under the kernel's name: SOFTWARE, and the driver does the work", async () => {
  const rig = await Rig.make({ image: image({}, ["rx_csum"]) });
  expect(rig.states.tx_csum).toMatchObject({ state: "SOFTWARE", reason: { kind: "NO_PROGRAM" } });
  const bytes = frame(80);
  const [sent] = rig.send([rig.partial(bytes, 34, 16)]);
  expect(sent!.frame).toEqual(filled(bytes, 34, 16));
  expect(rig.driver.counters.txFallback).toEqual({ not_enabled: 1 });
});
