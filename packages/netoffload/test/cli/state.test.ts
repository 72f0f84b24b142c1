/** The state directory under several processes at once. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { type DeviceRecord, StateStore } from "../../src/state.ts";
import { NODE, scratch } from "./process.ts";

const dir = scratch("state");
const store = pathToFileURL(fileURLToPath(new URL("../../src/state.ts", import.meta.url))).href;

/** A process that makes `count` devices and images, one change each; with `die` it ends while it holds the lock. */
function worker(directory: string, name: string, count: number, die: boolean): Promise<number | null> {
  const code = `
    const { StateStore } = await import(${JSON.stringify(store)});
    const store = new StateStore(${JSON.stringify(directory)});
    for (let i = 0; i < ${count}; i++)
      await store.change(async (state) => {
        const image = store.putImage(new TextEncoder().encode("${name}" + i));
        const mine = { name: "${name}-" + i, profile: "ideal", image, imageFile: "f", generation: 1, reloadFailed: false, stats: {} };
        // give others the time to come in between
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (${die} && i === ${count} - 1) process.kill(process.pid, "SIGKILL");
        return { state: { ...state, devices: [...state.devices, mine] }, result: null };
      });
  `;
  const child = spawn(process.execPath, [...NODE, "--input-type=module", "-e", code], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Promise((resolve) => child.on("close", resolve));
}

const record = (name: string): DeviceRecord => ({
  name,
  profile: "ideal",
  image: null,
  imageFile: null,
  generation: 0,
  reloadFailed: false,
  stats: {},
});

describe("state directory", () => {
  it("loses no change of three processes, one of which is killed while it holds the lock; readers see whole states", async () => {
    const directory = path.join(dir, "shared");
    const reader = new StateStore(directory);
    let running = true;
    let seen = 0;
    const reading = (async () => {
      for (; running; await new Promise((resolve) => setTimeout(resolve, 3))) {
        const { devices } = reader.read();
        expect(devices.length).toBeGreaterThanOrEqual(seen);
        seen = devices.length;
        const last = devices.at(-1);
        if (last === undefined) continue;
        const found = reader.device(last.name);
        expect([found?.record.name, found?.image === null]).toEqual([last.name, false]);
      }
    })();
    const ends = await Promise.all([
      worker(directory, "a", 40, false),
      worker(directory, "b", 40, false),
      worker(directory, "c", 10, true),
    ]);
    running = false;
    await reading;
    expect(ends).toEqual([0, 0, null]);
    // the killed one's last change never happened
    const names = reader.read().devices.map((d) => d.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBe(40 + 40 + 9);
    await reader.change((state) => ({ state, result: null }));
    for (const d of reader.read().devices) expect(reader.image(d.image!)).not.toBeNull();
    expect(fs.readdirSync(directory).filter((f) => f === "lock")).toEqual([]);
  });

  it("without the lock changes do get lost: the test above can fail", async () => {
    const unlocked = new StateStore(path.join(dir, "unlocked"));
    // the lock taken away while it is held is what having none comes to
    const slow = unlocked.change(async (state) => {
      fs.renameSync(path.join(dir, "unlocked", "lock"), path.join(dir, "unlocked", "lock.gone"));
      await unlocked.change((now) => ({ state: { ...now, devices: [record("second")] }, result: null }));
      fs.renameSync(path.join(dir, "unlocked", "lock.gone"), path.join(dir, "unlocked", "lock"));
      return { state: { ...state, devices: [...state.devices, record("first")] }, result: null };
    });
    await slow;
    expect(unlocked.read().devices.map((d) => d.name)).toEqual(["first"]);
  });

  it("a change that fails leaves the state and no lock", async () => {
    const failing = new StateStore(path.join(dir, "failing"));
    await failing.change((state) => ({ state: { ...state, devices: [record("kept")] }, result: null }));
    await expect(
      failing.change(() => {
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    await failing.change((state) => ({ state, result: null }));
    expect(failing.read().devices.map((d) => d.name)).toEqual(["kept"]);
  });

  it.each(["", "{}", "[]", '{"version":1,"devices":[{}]}', '{"version":2,"devices":[]}'])(
    "a damaged file is named, not overwritten: %j",
    async (text) => {
      const damaged = new StateStore(path.join(dir, "damaged"));
      fs.mkdirSync(damaged.directory, { recursive: true });
      const file = path.join(damaged.directory, "devices.json");
      fs.writeFileSync(file, text);
      expect(() => damaged.read()).toThrow(/devices\.json is damaged/);
      await expect(damaged.change((state) => ({ state, result: null }))).rejects.toThrow(/damaged/);
      expect(fs.readFileSync(file, "utf8")).toBe(text);
    },
  );

  it("an image that is no longer what it was is not handed out", async () => {
    const images = new StateStore(path.join(dir, "images"));
    const name = await images.change((state) => {
      const image = images.putImage(new Uint8Array([1, 2, 3]));
      return { state: { ...state, devices: [{ ...record("d"), image }] }, result: image };
    });
    expect(images.image(name)).toEqual(Buffer.from([1, 2, 3]));
    fs.writeFileSync(path.join(images.directory, "images", name), "other");
    expect(images.image(name)).toBeNull();
    expect(images.device("d")).toMatchObject({ image: null });
  });
});
