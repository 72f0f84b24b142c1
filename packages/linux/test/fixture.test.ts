import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeMessage } from "../src/fixture/protocol.ts";
import { RecordWriter } from "../src/fixture/records.ts";
import { Fixture, LinuxError } from "../src/index.ts";
import { QUESTION_HEAD } from "../src/oracle/checksum-fixture.ts";
import { live } from "./own-namespace.ts";

const KILLED = 100;
const AT_ONCE = 10;
const out = fileURLToPath(new URL("../node_modules/.fixture-test", import.meta.url));
const child = `${out}/child.mjs`;

/** Everything a fixture could leave behind. */
function remains(): { fds: number; namespaces: number; processes: number; interfaces: string[] } {
  const slab = readFileSync("/proc/slabinfo", "utf8");
  const processes = readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(child);
    } catch {
      return false;
    }
  });
  return {
    fds: readdirSync("/proc/self/fd").length,
    namespaces: Number(/^net_namespace\s+(\d+)/m.exec(slab)?.[1] ?? 0),
    processes: processes.length,
    interfaces: readdirSync("/sys/class/net").sort(),
  };
}

describe.runIf(live)("fixture", () => {
  beforeAll(async () => {
    // one file without a TypeScript loader: a hundred processes start in seconds
    await build({
      configFile: false,
      logLevel: "silent",
      resolve: { conditions: ["@netoffload/source"] },
      ssr: { noExternal: true, resolve: { conditions: ["@netoffload/source"] } },
      build: {
        ssr: fileURLToPath(new URL("../src/fixture-child.ts", import.meta.url)),
        outDir: out,
        rollupOptions: { output: { entryFileNames: "child.mjs" } },
      },
    });
  });
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  it("enters a namespace of its own before it opens anything", async () => {
    const fixture = await Fixture.start({ kind: "checksum" }, [child]);
    const own = readlinkSync(`/proc/${fixture.pid}/ns/net`);
    expect(own).not.toBe(readlinkSync("/proc/self/ns/net"));
    expect(fixture.kernel).toBe(readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
    const names = readFileSync(`/proc/${fixture.pid}/net/dev`, "utf8");
    for (const name of ["tap1", "tap2", "bridge0"]) expect(names).toContain(`${name}:`);
    expect(readFileSync("/proc/net/dev", "utf8")).not.toContain("tap1:");
    await fixture.close();
    await expect(fixture.request({})).rejects.toThrow(LinuxError);
  });

  it("says what is wrong", async () => {
    await expect(Fixture.start({ kind: "nothing" }, [child])).rejects.toThrow(
      /EINVAL|'nothing' is not known; one of: checksum/,
    );
    await expect(Fixture.start({ kind: "checksum" }, ["-e", "process.exit(3)"])).rejects.toThrow(/code 3/);
  });

  it("ends with its owner", async () => {
    const process1 = spawn(process.execPath, [child, JSON.stringify({ kind: "checksum" })]);
    await once(process1.stdout, "data");
    process1.stdin.end();
    expect(await once(process1, "close")).toEqual([0, null]);
  });

  it(`${KILLED} fixtures killed at random moments leave nothing`, async () => {
    const seed = Date.now() & 0x7fffffff;
    const random = randomFrom(seed);
    const before = remains();
    const died = { building: 0, working: 0 };
    const work = encodeMessage({}, manyFrames(5000));
    const one = async (): Promise<void> => {
      const process1 = spawn(process.execPath, [child, JSON.stringify({ kind: "checksum" })]);
      process1.stdin.on("error", () => {});
      let answered = 0;
      process1.stdout.on("data", (bytes: Uint8Array) => {
        answered += bytes.length;
      });
      process1.stdin.write(work);
      // a third at any moment of its start, the others in the middle of their work
      if (random(3) > 0) await once(process1.stdout, "data");
      await new Promise((resolve) => setTimeout(resolve, random(150)));
      process1.kill("SIGKILL");
      expect(await once(process1, "close")).toEqual([null, "SIGKILL"]);
      died[answered === 0 ? "building" : "working"]++;
    };
    for (let done = 0; done < KILLED; done += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, one));
    console.log(`seed ${seed}: died`, died);
    expect(died.building).toBeGreaterThan(5);
    expect(died.working).toBeGreaterThan(30);
    const after = await settled(before.namespaces);
    expect(after.fds).toBeLessThanOrEqual(before.fds);
    expect(after.processes).toBe(0);
    expect(after.interfaces).toEqual(before.interfaces);
    // the kernel counts whole slabs, and others on this machine may have namespaces of their own
    expect(after.namespaces).toBeLessThan(before.namespaces + KILLED / 4);
  });
});

/** The kernel takes namespaces down in its own time. */
async function settled(namespaces: number): Promise<ReturnType<typeof remains>> {
  for (let i = 0; i < 300 && remains().namespaces > namespaces; i++)
    await new Promise((resolve) => setTimeout(resolve, 100));
  return remains();
}

function randomFrom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % n;
  };
}

/** Frames that ask for a UDP checksum. */
function manyFrames(n: number): Uint8Array {
  const writer = new RecordWriter();
  const frame = new Uint8Array(QUESTION_HEAD + 14 + 20 + 8 + 100);
  frame.set([255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 34, 0, 6, 0]);
  for (let i = 0; i < n; i++) writer.push(frame);
  return writer.finish();
}
