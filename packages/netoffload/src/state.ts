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
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

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
  /** Reloads that worked: action to limit to count. */
  readonly stats: { readonly [action: string]: { readonly [limit: string]: number } };
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
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return EMPTY;
      throw error;
    }
    const state = parseState(text);
    if (state === null) throw new Error(`${file} is damaged; remove it to start anew`);
    return state;
  }

  /** Change the state: nobody else changes it between the read and the write. */
  async change<T>(
    body: (state: State) => Promise<{ state: State; result: T }> | { state: State; result: T },
  ): Promise<T> {
    mkdirSync(join(this.directory, "images"), { recursive: true });
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
      writeSync(fd, bytes);
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
    const mine = `${path}.${process.pid}.${Math.random().toString(36).slice(2, 10)}`;
    const fd = openSync(mine, "wx");
    writeSync(fd, String(process.pid));
    closeSync(fd);
    try {
      for (;;) {
        // link(2) fails when the name is taken and is atomic everywhere, the content being there already
        try {
          linkSync(mine, path);
          return () => unlinkSync(path);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        }
        breakStaleLock(path);
        if (Date.now() > deadline) throw new Error(`${path} is held by process ${holder(path)} for too long`);
        await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));
      }
    } finally {
      unlinkSync(mine);
    }
  }
}

function holder(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** A lock whose process is gone is moved away under a name of its own, so that only one process can break it. */
function breakStaleLock(path: string): void {
  const pid = holder(path);
  if (pid === "" || alive(Number(pid))) return;
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
    // between the look and the rename somebody may have broken it and locked anew: then give it back
    if (holder(aside) !== pid) linkSync(aside, path);
    unlinkSync(aside);
  } catch {
    // another process was faster
  }
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
    const sound = value.devices.every((d) => typeof d.name === "string" && typeof d.generation === "number");
    return sound ? value : null;
  } catch {
    return null;
  }
}
