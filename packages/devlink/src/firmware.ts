/**
 * Firmware look-up: a name becomes bytes, by the kernel's `request_firmware` order and our stricter rules.
 * devlink touches no file system: a {@link FirmwareSource} does.
 * @see drivers/base/firmware_loader/main.c fw_get_filesystem_firmware(); the rules are in the package README
 */
import { Decompress } from "fzstd";
import { type Answer, type ErrnoName, grant, type Refusal, refuse } from "./errno.ts";

/** A file as the source read it, once and whole. */
export interface FirmwareFile {
  readonly bytes: Uint8Array;
  /** Where it really lies, symbolic links followed; equal to the path where the source cannot tell. */
  readonly realPath: string;
}

/** Where firmware files come from: a disk, a bundle, a test's map. */
export interface FirmwareSource {
  /**
   * Read one file whole without ever blocking (a fifo is refused, not waited for).
   * @param path - directory, `/`, name
   * @param limit - bytes; a larger file is EFBIG, unread
   * @returns ENOENT; EINVAL (not a regular file); EACCES; ETXTBSY (open for writing); EFBIG; EIO (shrank while
   *   being read)
   */
  read(path: string, limit: number): Answer<FirmwareFile>;
}

/** Where to look and how much to accept. */
export interface FirmwareConfig {
  /** Firmware root; default `/lib/firmware`. */
  readonly root?: string;
  /** Kernel release for the `updates/RELEASE` and `RELEASE` folders. */
  readonly release?: string;
  /** Custom directory searched first; skipped when empty. */
  readonly custom?: string;
  /** Refuse a file that resolves outside the root (EACCES). */
  readonly confine?: boolean;
  /** Bytes; default 16 MiB. */
  readonly maxFileSize?: number;
  /** Bytes after decompression; default 64 MiB. */
  readonly maxImageSize?: number;
  /** Decompresses xz; without it every `.xz` file answers EINVAL. Must stop at `limit` bytes with EFBIG. */
  readonly unxz?: (bytes: Uint8Array, limit: number) => Promise<Answer<Uint8Array>>;
}

/** A found firmware: its bytes and how it was found. */
export interface Firmware {
  readonly bytes: Uint8Array;
  readonly path: string;
  /** Index in the search order, counted from 0 with the custom directory (when there is one) first. */
  readonly directory: number;
  readonly variant: "plain" | "zst" | "xz";
}

const DEFAULT_ROOT = "/lib/firmware";
const MIB = 1 << 20;
const NAME_MAX = 255;
const PATH_MAX = 4096;

/** The directories searched, in order. */
export function firmwareDirectories(config: FirmwareConfig): string[] {
  const root = config.root ?? DEFAULT_ROOT;
  const dirs = config.custom ? [config.custom] : [];
  if (config.release) dirs.push(`${root}/updates/${config.release}`);
  dirs.push(`${root}/updates`);
  if (config.release) dirs.push(`${root}/${config.release}`);
  dirs.push(root);
  return dirs;
}

/** Judge a firmware name before anything is opened; null when it is acceptable. */
export function checkFirmwareName(name: string): Refusal | null {
  if (name === "") return refuse("EINVAL", "firmware name is empty");
  if (name.includes("\0")) return refuse("EINVAL", "firmware name contains a NUL byte");
  if (name.startsWith("/") || name.includes("\\") || /^[A-Za-z]:/.test(name))
    return refuse("EINVAL", "firmware name must be relative");
  if (name.split("/").includes("..")) return refuse("EINVAL", "firmware name must not contain '..'");
  if (new TextEncoder().encode(name).length > NAME_MAX)
    return refuse("ENAMETOOLONG", "firmware name is too long");
  return null;
}

/**
 * Find and unpack a firmware file: all directories with the plain name, then with `.zst`, then with `.xz`; the
 * next pass runs only when the former ended with ENOENT, and a pass ends with its last directory's error.
 */
export async function requestFirmware(
  source: FirmwareSource,
  name: string,
  config: FirmwareConfig = {},
): Promise<Answer<Firmware>> {
  const bad = checkFirmwareName(name);
  if (bad !== null) return bad;
  let last: Refusal = refuse("ENOENT", "failed to locate the requested firmware file");
  for (const variant of ["plain", "zst", "xz"] as const) {
    const found = await pass(source, name, config, variant);
    if (found.ok || found.errno !== "ENOENT") return found;
    last = found;
  }
  return last;
}

const SUFFIX = { plain: "", zst: ".zst", xz: ".xz" } as const;

async function pass(
  source: FirmwareSource,
  name: string,
  config: FirmwareConfig,
  variant: Firmware["variant"],
): Promise<Answer<Firmware>> {
  let last: Refusal = refuse("ENOENT", "failed to locate the requested firmware file");
  const dirs = firmwareDirectories(config);
  for (let directory = 0; directory < dirs.length; directory++) {
    const path = `${dirs[directory]}/${name}${SUFFIX[variant]}`.replace(/\/{2,}/g, "/");
    if (new TextEncoder().encode(path).length >= PATH_MAX)
      return refuse("ENAMETOOLONG", "firmware name is too long");
    const got = await readOne(source, path, config, variant);
    if (got.ok) return grant({ bytes: got.value, path, directory, variant });
    last = got;
  }
  return last;
}

async function readOne(
  source: FirmwareSource,
  path: string,
  config: FirmwareConfig,
  variant: Firmware["variant"],
): Promise<Answer<Uint8Array>> {
  const file = source.read(path, config.maxFileSize ?? 16 * MIB);
  if (!file.ok)
    return refuse(file.errno, file.extack || READ_TEXT[file.errno] || "cannot read firmware file");
  const { bytes, realPath } = file.value;
  if (config.confine && !inside(realPath, config))
    return refuse("EACCES", "firmware file is outside the firmware root");
  if (bytes.length === 0) return refuse("EINVAL", "firmware file is empty");
  if (bytes.length > (config.maxFileSize ?? 16 * MIB)) return refuse("EFBIG", "firmware file is too large");
  const limit = config.maxImageSize ?? 64 * MIB;
  if (variant === "zst") return unzstd(bytes, limit);
  if (variant === "xz") return unxz(bytes, limit, config);
  return bytes.length > limit ? refuse("EFBIG", "firmware file is too large") : grant(bytes);
}

const READ_TEXT: Partial<Record<ErrnoName, string>> = {
  ENOENT: "failed to locate the requested firmware file",
  EINVAL: "firmware file is not a regular file",
  EFBIG: "firmware file is too large",
  EACCES: "firmware file cannot be read",
  ETXTBSY: "firmware file is being written",
  EIO: "firmware file changed while being read",
};

function inside(realPath: string, config: FirmwareConfig): boolean {
  const roots = [config.root ?? DEFAULT_ROOT, ...(config.custom ? [config.custom] : [])];
  return roots.some((root) => realPath.startsWith(root.endsWith("/") ? root : `${root}/`));
}

const UNPACK = "cannot decompress firmware file";

/** Size from the first zstd frame's header: content, and window needed; null when not stated or no zstd frame. */
function zstdSizes(bytes: Uint8Array): { content: number; window: number } | null {
  if (bytes.length < 6) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== 0xfd2fb528) return null;
  const descriptor = bytes[4]!;
  const single = (descriptor & 0x20) !== 0;
  let at = 5;
  let window = 0;
  if (!single) {
    const w = bytes[at++]!;
    const log = 10 + (w >> 3);
    window = 2 ** log + (2 ** log / 8) * (w & 7);
  }
  at += [0, 1, 2, 4][descriptor & 3]!;
  const width = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  if (width === 0 || at + width > bytes.length) return null;
  let content = 0;
  for (let i = width - 1; i >= 0; i--) content = content * 256 + bytes[at + i]!;
  if (width === 2) content += 256;
  return { content, window: single ? content : window };
}

function unzstd(bytes: Uint8Array, limit: number): Answer<Uint8Array> {
  const sizes = zstdSizes(bytes);
  if (sizes === null) return refuse("EINVAL", UNPACK);
  if (sizes.content > limit || sizes.window > Math.max(limit, 8 * MIB))
    return refuse("EFBIG", "firmware file is too large");
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    const stream = new Decompress((chunk) => {
      total += chunk.length;
      if (total <= limit) chunks.push(chunk.slice());
    });
    // in pieces, so that a bomb is noticed before all of it has been unpacked
    for (let at = 0; at < bytes.length && total <= limit; at += 65536)
      stream.push(bytes.subarray(at, at + 65536), at + 65536 >= bytes.length);
  } catch {
    return refuse("EINVAL", UNPACK);
  }
  if (total > limit) return refuse("EFBIG", "firmware file is too large");
  if (total < sizes.content) return refuse("EINVAL", UNPACK);
  return finish(join(chunks, total));
}

async function unxz(bytes: Uint8Array, limit: number, config: FirmwareConfig): Promise<Answer<Uint8Array>> {
  const magic = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00];
  // stream flags: integrity check none (0) or CRC32 (1), as the kernel's decoder demands
  if (bytes.length < 12 || magic.some((b, i) => bytes[i] !== b) || bytes[7]! > 1 || config.unxz === undefined)
    return refuse("EINVAL", UNPACK);
  const got = await config.unxz(bytes, limit);
  if (!got.ok) return refuse(got.errno, got.errno === "EFBIG" ? "firmware file is too large" : UNPACK);
  return finish(got.value);
}

function finish(bytes: Uint8Array): Answer<Uint8Array> {
  return bytes.length === 0 ? refuse("ENOENT", "failed to locate the requested firmware file") : grant(bytes);
}

function join(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const out = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}
