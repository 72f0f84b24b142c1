/** Firmware files from the disk, read once and whole, never blocking on a fifo. */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { type Answer, type FirmwareFile, type FirmwareSource, grant, refuse } from "@netoffload/devlink";

/** Reads from this machine's file system. */
export const diskFirmware: FirmwareSource = {
  read(path: string, limit: number): Answer<FirmwareFile> {
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EACCES" || code === "EPERM") return refuse("EACCES");
      if (code === "ENXIO") return refuse("EINVAL");
      return refuse(code === "ENAMETOOLONG" ? "ENAMETOOLONG" : "ENOENT");
    }
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) return refuse("EINVAL");
      if (stat.size > limit) return refuse("EFBIG");
      const bytes = new Uint8Array(stat.size);
      let at = 0;
      while (at < bytes.length) {
        const n = readSync(fd, bytes, at, bytes.length - at, at);
        if (n === 0) return refuse("EIO");
        at += n;
      }
      return grant({ bytes, realPath: realpathSync(path) });
    } catch {
      return refuse("EIO");
    } finally {
      closeSync(fd);
    }
  },
};
