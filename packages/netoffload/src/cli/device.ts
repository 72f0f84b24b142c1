/** What `--device` names: a shipped profile, a user's profile, a device of the state directory, or a command. */
import { PROFILES, type Profile, readProfile } from "@netoffload/nic-model";
import { recordFeatures, switchedOff } from "../devices.ts";
import type { OffloadName } from "../report.ts";
import { type DeviceRecord, StateStore, stateDirectory } from "../state.ts";
import { type Options, stringOption } from "./command.ts";
import { usageError } from "./exit.ts";
import { readInput } from "./input.ts";

/** A device to verify against. */
export type DeviceChoice =
  | { readonly kind: "exec"; readonly command: string; readonly name: string }
  | {
      readonly kind: "model";
      readonly profile: Profile;
      readonly name: string;
      /** Absent: the image made from the kernel's programs; null: nothing loaded. */
      readonly image?: Uint8Array | null;
      /** Offloads that its user has turned off by their features. */
      readonly off?: readonly OffloadName[];
    };

/** Read a profile by name or from a JSON file. */
export function profileOf(word: string): Profile {
  if (Object.hasOwn(PROFILES, word)) return PROFILES[word]!;
  if (!/\.json$/.test(word))
    throw usageError(
      `profile '${word}' is not known; one of: ${Object.keys(PROFILES).join(", ")}, or a FILE.json`,
    );
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(readInput(word)));
  } catch (error) {
    if (error instanceof SyntaxError) throw usageError(`${word}: no JSON: ${error.message}`);
    throw error;
  }
  return checkedProfile(value, word);
}

/** A profile out of JSON; every fault is told with its path. */
export function checkedProfile(value: unknown, where: string): Profile {
  const read = readProfile(value);
  if (!read.ok)
    throw usageError(
      read.faults.map((f) => `${where}: ${f.path === "" ? "" : `${f.path}: `}${f.message}`).join("\n"),
    );
  return read.value;
}

/** Profile of a device record. */
export function recordProfile(record: DeviceRecord): Profile {
  return typeof record.profile === "string"
    ? profileOf(record.profile)
    : checkedProfile(record.profile, `device ${record.name}`);
}

/** Name of a device: `sim/NAME` and NAME are the same. */
export function deviceName(word: string): string {
  return word.startsWith("sim/") ? word.slice(4) : word;
}

/** Resolve `--device`. */
export function deviceChoice(options: Options): DeviceChoice {
  const word = stringOption(options, "device") ?? "ideal";
  if (word.startsWith("exec:")) {
    if (word.length === 5) throw usageError("--device exec:CMD: a command is needed after 'exec:'");
    return { kind: "exec", command: word.slice(5), name: word };
  }
  if (Object.hasOwn(PROFILES, word) || /\.json$/.test(word))
    return { kind: "model", profile: profileOf(word), name: word };
  const store = new StateStore(stateDirectory(stringOption(options, "state")));
  const found = store.device(deviceName(word));
  if (found === undefined) {
    const known = store.read().devices.map((d) => `sim/${d.name}`);
    throw usageError(
      `--device ${word}: neither a profile (${Object.keys(PROFILES).join(", ")}, FILE.json), exec:CMD, nor a device of ${store.directory}${known.length > 0 ? ` (${known.join(", ")})` : ""}`,
    );
  }
  const profile = recordProfile(found.record);
  return {
    kind: "model",
    profile,
    name: `sim/${found.record.name}`,
    image: found.image,
    off: switchedOff(recordFeatures(found.record, profile)),
  };
}
