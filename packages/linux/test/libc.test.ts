import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { facility } from "../../internal/test/facility.ts";
import { errnoName, LinuxError, libc, ok, StructBytes } from "../src/index.ts";

describe("errno", () => {
  it("names what the machine's own tables name", () => {
    expect([errnoName(1), errnoName(11), errnoName(22), errnoName(95), errnoName(4000)]).toEqual([
      "EPERM",
      "EAGAIN",
      "EINVAL",
      "EOPNOTSUPP",
      "E4000",
    ]);
  });

  it("becomes an error with name, number and operation", () => {
    expect(ok(3, "read")).toBe(3);
    let error: unknown;
    try {
      ok(-13, "open /x", { fd: 4 });
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(LinuxError);
    expect(error).toMatchObject({
      code: "EACCES",
      errno: 13,
      message: "open /x: EACCES",
      details: { fd: 4 },
    });
  });
});

describe.runIf(facility("Linux", process.platform === "linux", "run on Linux"))("libc", () => {
  it("answers with values and negated errnos", () => {
    const c = libc();
    const zero = c.open("/dev/zero", 0);
    expect(zero).toBeGreaterThan(2);
    const buffer = new Uint8Array(8).fill(1);
    expect(c.read(zero, buffer.subarray(2, 5))).toBe(3);
    expect([...buffer]).toEqual([1, 1, 0, 0, 0, 1, 1, 1]);
    expect(c.read(zero, buffer, 100)).toBe(8);
    expect(c.close(zero)).toBe(0);
    expect(c.close(zero)).toBe(-9);
    expect(c.open("/nowhere/at/all", 0)).toBe(-2);
  });

  it("maps memory", () => {
    const mapping = libc().mmap(0n, 8192, 3, 0x22, -1);
    if (typeof mapping === "number") throw new Error(`mmap ${mapping}`);
    mapping.bytes[8191] = 7;
    expect(mapping.bytes[8191]).toBe(7);
    expect(mapping.address % 4096n).toBe(0n);
    expect(libc().munmap(mapping)).toBe(0);
    expect(libc().mmap(0n, 4096, 3, 2, 9999)).toBe(-9);
  });

  it("keeps what structures point to alive, over many collections", () => {
    const c = libc();
    const pair = new Int32Array(2);
    ok(c.socketpair(1, 1, 0, new Uint8Array(pair.buffer)), "socketpair");
    const received = new Uint8Array(BYTES);
    for (let i = 0; i < 5000; i++) {
      // only the msghdr is referenced here: it names an iovec, which names the bytes
      expect(c.sendmsg(pair[0]!, messageOf(i & 255))).toBe(BYTES);
      expect(c.recv(pair[1]!, received)).toBe(BYTES);
      expect(received.every((b) => b === (i & 255))).toBe(true);
    }
    for (const fd of pair) c.close(fd);
  });
});

const BYTES = 2000;

function messageOf(fill: number): StructBytes {
  const iovec = new StructBytes(16).pointer(0, new Uint8Array(BYTES).fill(fill)).u64(8, BigInt(BYTES));
  return new StructBytes(56).pointer(16, iovec).u64(24, 1n);
}

it("elsewhere the package can be imported, and only its use says what is missing", () => {
  const script = `
    Object.defineProperty(process, "platform", { value: "darwin" });
    const { libc } = await import(${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)});
    try { libc(); } catch (e) { console.log(e.code, e.message); }`;
  const { stdout } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--conditions=@netoffload/source", "--input-type=module", "-e", script],
    {
      encoding: "utf8",
      cwd: new URL("../../..", import.meta.url).pathname,
    },
  );
  expect(stdout).toBe("unsupported this is darwin; the live kernel needs Linux\n");
});
