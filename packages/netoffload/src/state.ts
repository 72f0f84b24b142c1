/**
 * Devices that outlive a command: a state directory, safe when two processes use it at once.
 *
 * ```text
 * DIR/lock           who is changing the state (process id); held for the whole of one change
 * DIR/devices.json   all devices
 * DIR/images/HEX     loaded program images, named by their SHA-256
 * ```
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { loadParser } from "@netoffload/cpr-ir";
import { usageError } from "./cli/exit.ts";
import { parserByName } from "./parsers.ts";

/** One device as the state file holds it. */
export interface DeviceRecord {
  readonly name: string;
  /** Name of a shipped profile, or the profile itself as it was read from a user's file. */
  readonly profile: string | { readonly [key: string]: unknown };
  /** SHA-256 (hex) of the loaded image, or null; the bytes are in `images/`. */
  readonly image: string | null;
  /** Firmware name it was fetched by. */
  readonly imageFile: string | null;
  readonly generation: number;
  readonly reloadFailed: boolean;
  /** The kernel's parser: a shipped one's name, or its canonical text. Absent: the flow dissector. */
  readonly kernelParser?: string;
  /** Reloads that worked: action to limit to count. */
  readonly stats: { readonly [action: string]: { readonly [limit: string]: number } };
  /** wanted_features in hex, once somebody toggled a feature. */
  readonly wanted?: string;
}

/** Everything in the state file. */
export interface State {
  readonly version: 1;
  readonly devices: readonly DeviceRecord[];
}

const EMPTY: State = { version: 1, devices: [] };

/** Milliseconds a change may wait for another process's. */
const LOCK_PATIENCE = 30_000;

/** The directory to use: `--state`, else the XDG state directory. */
export function stateDirectory(option: string | undefined): string {
  if (option !== undefined) return option;
  const base = process.env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return join(base, "netoffload");
}

/** A state directory. Every change reads, changes and writes under one lock. */
export class StateStore {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The state now; an absent directory is an empty state. Fails with a message that names the file. */
  read(): State {
    const file = join(this.directory, "devices.json");
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return EMPTY;
      throw usageError(`${file}: cannot be read: ${code}`);
    }
    const state = parseState(text);
    if (state === null)
      throw usageError(`${file} is damaged (no JSON of version 1); remove it to start anew`);
    return state;
  }

  /** One device and its image's bytes (null: none loaded, or lost), as they were at one moment. */
  device(name: string): { readonly record: DeviceRecord; readonly image: Uint8Array | null } | undefined {
    for (let round = 0; ; round++) {
      const record = this.read().devices.find((d) => d.name === name);
      if (record === undefined) return undefined;
      const image = record.image === null ? null : this.image(record.image);
      // a reload between the two readings takes the old image away: look again
      if (image !== null || record.image === null || round === 3) return { record, image };
    }
  }

  /** Change the state: nobody else changes it between the read and the write. */
  async change<T>(
    body: (state: State) => Promise<{ state: State; result: T }> | { state: State; result: T },
  ): Promise<T> {
    try {
      mkdirSync(join(this.directory, "images"), { recursive: true });
    } catch (error) {
      throw usageError(`${this.directory}: cannot be made: ${(error as NodeJS.ErrnoException).code}`);
    }
    const release = await this.#lock();
    try {
      const { state, result } = await body(this.read());
      this.#writeWhole("devices.json", new TextEncoder().encode(`${JSON.stringify(state, null, 2)}\n`));
      this.#sweep(state);
      return result;
    } finally {
      release();
    }
  }

  /** Keep an image; call inside {@link change}. @returns its name */
  putImage(bytes: Uint8Array): string {
    const name = createHash("sha256").update(bytes).digest("hex");
    this.#writeWhole(join("images", name), bytes);
    return name;
  }

  /** An image's bytes; null when it is gone or no longer what it was. */
  image(name: string): Uint8Array | null {
    try {
      const bytes = readFileSync(join(this.directory, "images", name));
      return createHash("sha256").update(bytes).digest("hex") === name ? bytes : null;
    } catch {
      return null;
    }
  }

  #writeWhole(name: string, bytes: Uint8Array): void {
    const path = join(this.directory, name);
    const temporary = `${path}.tmp-${process.pid}`;
    const fd = openSync(temporary, "w");
    try {
      writeFileSync(fd, bytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  }

  /** Images no device uses any more. */
  #sweep(state: State): void {
    const used = new Set(state.devices.map((d) => d.image));
    for (const name of readdirSync(join(this.directory, "images")))
      if (!used.has(name)) unlinkSync(join(this.directory, "images", name));
  }

  async #lock(): Promise<() => void> {
    const path = join(this.directory, "lock");
    const deadline = Date.now() + LOCK_PATIENCE;
    const token = `${process.pid}.${Math.random().toString(36).slice(2, 12)}`;
    const mine = `${path}.${token}`;
    writeFileSync(mine, token, { flag: "wx" });
    try {
      for (;;) {
        // link(2) fails when the name is taken and is atomic everywhere, the content being there already
        if (taken(mine, path)) return () => unlinkSync(path);
        breakStaleLock(mine, path);
        if (Date.now() > deadline)
          throw usageError(
            `${path} is held by process ${pidOf(holder(path))} for more than ${LOCK_PATIENCE / 1000} s; remove it if that is none of netoffload`,
          );
        await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));
      }
    } finally {
      unlinkSync(mine);
    }
  }
}

/** Give `mine` a second name unless somebody has it. */
function taken(mine: string, name: string): boolean {
  try {
    linkSync(mine, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

/** Token of the process that holds a lock; empty when nobody does. */
function holder(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const pidOf = (token: string): number => Number(token.split(".")[0]);

/**
 * Remove a lock whose process is gone. Only who gets the name made of its token may do so, and only while the lock
 * still holds that token: a lock taken anew in between is never removed.
 */
function breakStaleLock(mine: string, path: string): void {
  const token = holder(path);
  if (token === "" || alive(pidOf(token))) return;
  const right = `${path}.broken.${token}`;
  if (!taken(mine, right)) return;
  if (holder(path) === token) unlinkSync(path);
  unlinkSync(right);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function parseState(text: string): State | null {
  try {
    const value = JSON.parse(text) as State;
    if (value.version !== 1 || !Array.isArray(value.devices)) return null;
    return value.devices.every(isRecord) ? value : null;
  } catch {
    return null;
  }
}

function isParser(kept: unknown): boolean {
  return typeof kept === "string" && (parserByName(kept) !== undefined || loadParser(kept).ok);
}

function isRecord(d: DeviceRecord): boolean {
  return (
    typeof d.name === "string" &&
    (typeof d.profile === "string" || (typeof d.profile === "object" && d.profile !== null)) &&
    (d.image === null || /^[0-9a-f]{64}$/.test(d.image)) &&
    (d.imageFile === null || typeof d.imageFile === "string") &&
    (d.wanted === undefined || /^[0-9a-f]{1,16}$/.test(d.wanted)) &&
    Number.isInteger(d.generation) &&
    typeof d.reloadFailed === "boolean" &&
    (d.kernelParser === undefined || isParser(d.kernelParser)) &&
    typeof d.stats === "object" &&
    d.stats !== null
  );
}
