/** `netoffload dev add|del|list|show`: model devices that outlive a command. */
import { canonicalText, codeName } from "@netoffload/cpr-ir";
import { describeState } from "@netoffload/devlink";
import { PROFILES } from "@netoffload/nic-model";
import { offloadsOf, openDevice } from "../devices.ts";
import { KERNEL_PARSER, PARSER_NAMES, parserByName } from "../parsers.ts";
import { type DeviceRecord, StateStore, stateDirectory } from "../state.ts";
import { type Command, type Context, type Options, stringOption } from "./command.ts";
import { eachFrame } from "./cpr-frames.ts";
import { portable, readParserFile } from "./cpr-read.ts";
import { deviceName, profileOf, recordProfile } from "./device.ts";
import { EXIT, usageError } from "./exit.ts";
import { readInput } from "./input.ts";

const NAME = /^[A-Za-z0-9_.:-]{1,64}$/;

/** The store that `--state` names. */
export function storeOf(options: Options): StateStore {
  return new StateStore(stateDirectory(stringOption(options, "state")));
}

/** No such device: what there is instead. */
export function unknownDevice(store: StateStore, name: string): Error {
  const known = store.read().devices.map((d) => `sim/${d.name}`);
  return usageError(
    `there is no device sim/${name} in ${store.directory}; ${known.length > 0 ? `there is ${known.join(", ")}` : "'netoffload dev add NAME --profile PROFILE' makes one"}`,
  );
}

function oneName(words: readonly string[], usage: string): string {
  const name = deviceName(words[0] ?? "");
  if (words.length !== 1 || !NAME.test(name))
    throw usageError(`${usage}; NAME has 1 to 64 letters, digits, '_', '.', ':' or '-'`);
  return name;
}

async function add(context: Context, words: readonly string[], options: Options): Promise<number> {
  const name = oneName(words, "dev add: NAME --profile PROFILE|FILE.json");
  const word = stringOption(options, "profile") ?? "ideal";
  const profile = profileOf(word);
  const shipped = Object.hasOwn(PROFILES, word);
  const parser = stringOption(options, "parser");
  const record: DeviceRecord = {
    name,
    // a user's file may change or go away: its content is kept
    profile: shipped
      ? word
      : (JSON.parse(new TextDecoder().decode(readInput(word))) as Record<string, unknown>),
    image: null,
    imageFile: null,
    generation: 0,
    reloadFailed: false,
    stats: {},
    ...(parser === undefined ? {} : { kernelParser: keptParser(context, parser) }),
  };
  await storeOf(options).change((state) => {
    if (state.devices.some((d) => d.name === name)) throw usageError(`sim/${name} exists already`);
    return { state: { ...state, devices: [...state.devices, record] }, result: null };
  });
  if (context.json) context.out.json({ device: `sim/${name}`, profile: profile.name });
  else if (!context.quiet) context.out.line(`sim/${name}`);
  return EXIT.ok;
}

/** A shipped parser's name, or what a file holds. */
function keptParser(context: Context, word: string): string {
  if (parserByName(word) !== undefined) return word;
  if (!/\.json$/.test(word))
    throw usageError(`--parser ${word}: one of ${PARSER_NAMES.join(", ")}, or FILE.json`);
  return canonicalText(portable(readParserFile(context, word, {}), word, {}));
}

async function del(context: Context, words: readonly string[], options: Options): Promise<number> {
  const name = oneName(words, "dev del: NAME");
  const store = storeOf(options);
  await store.change((state) => {
    const devices = state.devices.filter((d) => d.name !== name);
    if (devices.length === state.devices.length) throw unknownDevice(store, name);
    return { state: { ...state, devices }, result: null };
  });
  if (context.json) context.out.json({ device: `sim/${name}`, deleted: true });
  else if (!context.quiet) context.out.line(`sim/${name} deleted`);
  return EXIT.ok;
}

const profileName = (record: DeviceRecord): string =>
  typeof record.profile === "string" ? record.profile : String(record.profile.name ?? "?");

function list(context: Context, _words: readonly string[], options: Options): number {
  const { devices } = storeOf(options).read();
  for (const d of devices) {
    const what = {
      device: `sim/${d.name}`,
      profile: profileName(d),
      file: d.imageFile,
      generation: d.generation,
    };
    if (context.json) context.out.json(what);
    else
      context.out.line(
        `${what.device}  profile ${what.profile}  ${what.file === null ? "no image" : `image ${what.file}, generation ${what.generation}`}`,
      );
  }
  return EXIT.ok;
}

function show(context: Context, words: readonly string[], options: Options): number {
  const name = oneName(words, "dev show: NAME");
  const store = storeOf(options);
  const found = store.device(name);
  if (found === undefined) throw unknownDevice(store, name);
  const { record } = found;
  const opened = openDevice(record, recordProfile(record), found.image);
  const offloads = offloadsOf(opened);
  if (context.json)
    context.out.json({
      device: `sim/${name}`,
      profile: profileName(record),
      file: record.imageFile,
      image_sha256: record.image,
      generation: record.generation,
      reload_failed: record.reloadFailed,
      ...(opened.lost === null ? {} : { lost: opened.lost }),
      offloads: Object.fromEntries(
        offloads.map((o) => [
          o.name,
          {
            state: o.state.state,
            ...(o.state.state === "SOFTWARE" ? { reason: o.state.reason.kind } : {}),
            kernel_hash: o.kernel,
            device_hash: o.device,
          },
        ]),
      ),
    });
  else {
    context.out.line(`sim/${name}: profile ${profileName(record)}`);
    context.out.line(
      record.image === null
        ? "  no image loaded"
        : `  image ${record.imageFile} (sha256:${record.image}), generation ${record.generation}`,
    );
    if (opened.lost !== null) context.out.line(`  lost: ${opened.lost}; reload it`);
    for (const o of offloads) context.out.line(`  ${o.name.padEnd(8)} ${describeState(o.state)}`);
  }
  return EXIT.ok;
}

async function parseFrames(context: Context, words: readonly string[], options: Options): Promise<number> {
  const name = oneName(words, "dev parse: NAME --frames IN");
  const store = storeOf(options);
  const found = store.device(name);
  if (found === undefined) throw unknownDevice(store, name);
  const { driver, lost } = openDevice(found.record, recordProfile(found.record), found.image);
  if (lost !== null && !context.quiet) context.err.line(`sim/${name}: ${lost}; software parses`);
  const nodes = driver.parser.kernel!.parser.nodes;
  return eachFrame(context, stringOption(options, "frames") ?? "-", (id, frame) => {
    driver.device.receive([frame], 1, driver.l2Length, (_i, completion) => {
      const p = driver.parser.parse(frame, driver.l2Length, completion)!;
      context.out.json({
        id,
        by: p.by,
        ret: p.code,
        code: codeName(p.code),
        encaps: p.encaps,
        last_node: nodes[p.lastNode]!.name,
        metadata: Buffer.from(p.metadata).toString("hex"),
      });
    });
    return undefined;
  });
}

const STATE = {
  state: { type: "string", value: "DIR", help: "where devices are kept (default: the XDG state directory)" },
} as const;

/** The commands. */
export const devCommands: readonly Command[] = [
  {
    name: "dev add",
    summary: "make a model device",
    usage: "NAME --profile PROFILE|FILE.json",
    options: {
      profile: {
        type: "string",
        value: "PROFILE",
        help: `${Object.keys(PROFILES).join(", ")} or FILE.json (default ideal)`,
      },
      parser: {
        type: "string",
        value: "NAME|FILE.json",
        help: `what the device's kernel parses with: ${PARSER_NAMES.join(", ")} or FILE.json (default ${KERNEL_PARSER})`,
      },
      ...STATE,
    },
    details: `
Its handle is sim/NAME. Load programs with 'netoffload devlink dev reload NAME action parser_fetch FILE'.`,
    run: add,
  },
  { name: "dev del", summary: "remove a device", usage: "NAME", options: STATE, run: del },
  { name: "dev list", summary: "all devices", usage: "", options: STATE, run: list },
  {
    name: "dev show",
    summary: "what a device runs and which offloads are in hardware",
    usage: "NAME",
    options: STATE,
    run: show,
  },
  {
    name: "dev parse",
    summary: "let frames arrive at a device and tell what its parser finds",
    usage: "NAME --frames IN.jsonl|CAPTURE",
    options: {
      frames: { type: "string", value: "IN", help: "JSON lines {id, frame}, or a capture (default: stdin)" },
      ...STATE,
    },
    details:
      "Each frame gives a line {id, by, ret, code, encaps, last_node, metadata}; by is device where its parser is the kernel's by hash, else software.",
    run: parseFrames,
  },
];
