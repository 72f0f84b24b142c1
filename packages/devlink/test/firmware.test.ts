import { describe, expect, test } from "vitest";
import {
  checkFirmwareName,
  type FirmwareSource,
  firmwareDirectories,
  grant,
  refuse,
  requestFirmware,
} from "../src/index.ts";

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** A disk of a few paths; a string instead of bytes is the errno it answers. */
function disk(
  files: Record<string, Uint8Array | "EINVAL" | "EACCES" | "EIO">,
): FirmwareSource & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    read(path) {
      asked.push(path);
      const found = files[path];
      if (found === undefined) return refuse("ENOENT");
      if (typeof found === "string") return refuse(found);
      return grant({ bytes: found, realPath: path });
    },
  };
}

// zstd 1.5.4, a file that holds `hello`; a pipe gives the same without the content size
const ZST_SIZED = Uint8Array.from([
  0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x05, 0x29, 0, 0, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0xa3, 0x6d, 0x9f, 0x88,
]);

describe("names", () => {
  const bad: [string, string, string][] = [
    ["", "EINVAL", "firmware name is empty"],
    ["/lib/x", "EINVAL", "firmware name must be relative"],
    ["C:x", "EINVAL", "firmware name must be relative"],
    ["a\\b", "EINVAL", "firmware name must be relative"],
    ["../x", "EINVAL", "firmware name must not contain '..'"],
    ["a/../x", "EINVAL", "firmware name must not contain '..'"],
    ["a/..", "EINVAL", "firmware name must not contain '..'"],
    ["..", "EINVAL", "firmware name must not contain '..'"],
    ["a\0b", "EINVAL", "firmware name contains a NUL byte"],
    ["x".repeat(256), "ENAMETOOLONG", "firmware name is too long"],
  ];
  test.each(bad)("%j is refused", (name, errno, extack) => {
    expect(checkFirmwareName(name)).toMatchObject({ errno, extack });
  });
  test.each(["a..b.bin", "..x/f", "x".repeat(255), "a//b"])("%j is fine", (name) => {
    expect(checkFirmwareName(name)).toBeNull();
  });
});

describe("look-up order", () => {
  const config = { root: "/fw", release: "6.18", custom: "/mine" };

  test("five directories", () => {
    expect(firmwareDirectories(config)).toEqual([
      "/mine",
      "/fw/updates/6.18",
      "/fw/updates",
      "/fw/6.18",
      "/fw",
    ]);
  });

  test("every combination of variant and directory: a plain file anywhere beats a compressed one", async () => {
    const dirs = firmwareDirectories(config);
    const kinds = ["none", "plain", "zst"] as const;
    for (let code = 0; code < kinds.length ** dirs.length; code++) {
      const files: Record<string, Uint8Array> = {};
      const here = dirs.map((_, d) => kinds[Math.floor(code / kinds.length ** d) % kinds.length]!);
      here.forEach((kind, d) => {
        if (kind === "plain") files[`${dirs[d]}/f`] = text("plain");
        if (kind === "zst") files[`${dirs[d]}/f.zst`] = ZST_SIZED;
      });
      const got = await requestFirmware(disk(files), "f", config);
      const plain = here.indexOf("plain");
      const zst = here.indexOf("zst");
      if (plain >= 0) expect(got).toMatchObject({ ok: true, value: { directory: plain, variant: "plain" } });
      else if (zst >= 0)
        expect(got).toMatchObject({
          ok: true,
          value: { directory: zst, variant: "zst", bytes: text("hello") },
        });
      else expect(got).toMatchObject({ ok: false, errno: "ENOENT" });
    }
  });

  test("a pass ends with its last directory's error, and only ENOENT goes on to the next", async () => {
    const first = await requestFirmware(disk({ "/mine/f": "EACCES", "/fw/f.zst": ZST_SIZED }), "f", config);
    expect(first).toMatchObject({ ok: true, value: { variant: "zst" } });
    const last = await requestFirmware(disk({ "/fw/f": "EACCES", "/fw/f.zst": ZST_SIZED }), "f", config);
    expect(last).toMatchObject({ ok: false, errno: "EACCES" });
  });

  test("xz only when plain and zst ended with ENOENT, through the decompressor given", async () => {
    const xz = Uint8Array.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 1, 0, 0, 0, 0]);
    const unxz = async () => grant(text("from xz"));
    const source = disk({ "/fw/f.xz": xz });
    expect(await requestFirmware(source, "f", { ...config, unxz })).toMatchObject({
      value: { bytes: text("from xz"), variant: "xz" },
    });
    expect(source.asked).toHaveLength(15);
    expect(await requestFirmware(source, "f", config)).toMatchObject({
      errno: "EINVAL",
      extack: "cannot decompress firmware file",
    });
    const sha = xz.slice();
    sha[7] = 10;
    expect(await requestFirmware(disk({ "/fw/f.xz": sha }), "f", { ...config, unxz })).toMatchObject({
      errno: "EINVAL",
    });
  });
});

describe("content", () => {
  const at = (file: Uint8Array | "EINVAL" | "EIO") => disk({ "/lib/firmware/f": file });
  test("empty, not regular, shrinking, too large", async () => {
    expect(await requestFirmware(at(new Uint8Array()), "f")).toMatchObject({
      extack: "firmware file is empty",
    });
    expect(await requestFirmware(at("EINVAL"), "f")).toMatchObject({
      extack: "firmware file is not a regular file",
    });
    expect(await requestFirmware(at("EIO"), "f")).toMatchObject({ errno: "EIO" });
    expect(await requestFirmware(at(text("xx")), "f", { maxFileSize: 1 })).toMatchObject({ errno: "EFBIG" });
    expect(await requestFirmware(at(text("xx")), "f", { maxImageSize: 1 })).toMatchObject({ errno: "EFBIG" });
  });

  test("zstd: size must be stated, damage is EINVAL, the limit holds before anything is unpacked", async () => {
    const zst = (bytes: Uint8Array) => disk({ "/lib/firmware/f.zst": bytes });
    expect(await requestFirmware(zst(ZST_SIZED), "f", { maxImageSize: 4 })).toMatchObject({ errno: "EFBIG" });
    for (let n = 1; n < ZST_SIZED.length - 4; n++)
      expect(await requestFirmware(zst(ZST_SIZED.slice(0, n)), "f")).toMatchObject({ errno: "EINVAL" });
    const noSize = Uint8Array.from([
      0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x29, 0, 0, 0x68, 0x65, 0x6c, 0x6c, 0x6f,
    ]);
    expect(await requestFirmware(zst(noSize), "f")).toMatchObject({ errno: "EINVAL" });
  });

  test("confined: a link out of the root is EACCES", async () => {
    const source: FirmwareSource = { read: () => grant({ bytes: text("x"), realPath: "/etc/passwd" }) };
    expect(await requestFirmware(source, "f", { confine: true })).toMatchObject({ errno: "EACCES" });
    expect(await requestFirmware(source, "f")).toMatchObject({ ok: true });
  });
});
