/** `netoffload devlink`: iproute2's words, its `-j -p` output and its stderr, over the devices of the state directory. */
import { CANONICAL_PREFIX, IR_KIND } from "@netoffload/cpr-ir";
import {
  type Answer,
  type DevlinkInstance,
  devInfo,
  devParserShow,
  devReload,
  devShow,
  type Json,
  type PrintOptions,
  type Refusal,
  type ReloadReply,
  type ReloadRequest,
  refuse,
  render,
  renderRefusal,
} from "@netoffload/devlink";
import { type OpenDevice, openDevice, recordOf, reloadContext } from "../devices.ts";
import { StateStore, stateDirectory } from "../state.ts";
import type { Command, Context } from "./command.ts";
import { deviceName, recordProfile } from "./device.ts";
import { EXIT, usageError } from "./exit.ts";
import { VERSION } from "./version.ts";

const USAGE = `usage: netoffload devlink [ OPTIONS ] dev COMMAND
  dev show [ DEV ]
  dev info [ DEV ]
  dev reload DEV [ action { driver_reinit | fw_activate | parser_fetch } ] [ limit no_reset ] [ netns { PID | NAME | ID } ]
             [ [ file ] FILE ] [ force ] [ dry-run ]      FILE with parser_fetch only
  dev parser show [ DEV ]
  dev parser dump DEV                                       the hashed graph, byte for byte; -j: without its first line

options: -j, --json   -p, --pretty   -s, --statistics   -v, --verbose   -n, --no-nice-names
         --firmware-root DIR (default /lib/firmware)   --state DIR   -h, --help   -V, --Version

DEV is sim/NAME, or NAME alone. A refusal by the device exits 1, a usage error 2.
`;

/** What the words came to. */
interface Parsed {
  readonly words: readonly string[];
  readonly print: PrintOptions;
  readonly firmwareRoot: string | undefined;
  readonly state: string | undefined;
  readonly help: boolean;
  readonly version: boolean;
}

const FLAGS: Readonly<Record<string, string>> = {
  "-j": "json",
  "--json": "json",
  "-p": "pretty",
  "--pretty": "pretty",
  "-s": "statistics",
  "--statistics": "statistics",
  "-v": "verbose",
  "--verbose": "verbose",
  "-n": "nice",
  "--no-nice-names": "nice",
  "-h": "help",
  "--help": "help",
  "-V": "version",
  "--Version": "version",
  "--version": "version",
  "--no-color": "plain",
  "--quiet": "quiet",
};

function parse(argv: readonly string[]): Parsed {
  const flags = new Set<string>();
  const values: Record<string, string> = {};
  const words: string[] = [];
  // as getopt does: -jp is -j -p, --state=DIR is --state DIR
  const split = argv.flatMap((w) =>
    /^-[a-zA-Z]{2,}$/.test(w)
      ? [...w.slice(1)].map((c) => `-${c}`)
      : /^--[a-z-]+=/.test(w)
        ? [w.slice(0, w.indexOf("=")), w.slice(w.indexOf("=") + 1)]
        : [w],
  );
  for (let i = 0; i < split.length; i++) {
    const word = split[i]!;
    if (word === "--firmware-root" || word === "--state") {
      const value = split[++i];
      if (value === undefined) throw usageError(`${word}: a directory is needed`);
      values[word] = value;
    } else if (Object.hasOwn(FLAGS, word)) flags.add(FLAGS[word]!);
    else if (word.startsWith("-") && word !== "-")
      throw usageError(`devlink: option '${word}' is not known\n${USAGE}`);
    else words.push(word);
  }
  return {
    words,
    print: { json: flags.has("json"), pretty: flags.has("pretty"), statistics: flags.has("statistics") },
    firmwareRoot: values["--firmware-root"],
    state: values["--state"],
    help: flags.has("help"),
    version: flags.has("version"),
  };
}

async function run(context: Context, argv: readonly string[]): Promise<number> {
  const parsed = parse(argv);
  const { words } = parsed;
  if (parsed.version) {
    context.out.line(VERSION);
    return EXIT.ok;
  }
  if (parsed.help || words[0] === "help" || (words[0] === "dev" && words[1] === "help")) {
    context.out.write(USAGE);
    return EXIT.ok;
  }
  const [object, ...rest] = words;
  if (object === undefined || !same("dev", object))
    throw usageError(
      `devlink: ${object === undefined ? "what?" : `object '${object}' is not known`}\n${USAGE}`,
    );
  return dev(context, parsed, rest);
}

/** The tool takes any beginning of a word. */
const same = (whole: string, word: string): boolean => word !== "" && whole.startsWith(word);

async function dev(context: Context, parsed: Parsed, words: readonly string[]): Promise<number> {
  const store = new StateStore(stateDirectory(parsed.state));
  const [command = "show", ...rest] = words;
  if (command === "show" || command === "list" || command === "s")
    return told(
      context,
      parsed,
      shown(context, store, rest, (i) => devShow(i, parsed.print)),
    );
  if (same("info", command)) return told(context, parsed, shown(context, store, rest, devInfo));
  if (command === "parser" && (rest[0] === undefined || same("show", rest[0])))
    return told(context, parsed, shown(context, store, rest.slice(1), devParserShow));
  if (command === "parser" && same("dump", rest[0] ?? "")) return dump(context, parsed, store, rest.slice(1));
  if (same("reload", command)) return reload(context, parsed, store, rest);
  // the paper's order: dev DEV reload ...
  if (rest[0] === "reload") return reload(context, parsed, store, [command, ...rest.slice(1)]);
  throw usageError(`devlink: command '${command}' is not known\n${USAGE}`);
}

/** Print an answer or its refusal. @returns the exit code */
function told(context: Context, parsed: Parsed, answer: Answer<Json | null>): number {
  if (!answer.ok) {
    context.err.write(renderRefusal(answer));
    return EXIT.difference;
  }
  if (answer.value !== null) context.out.write(render(answer.value, parsed.print));
  return EXIT.ok;
}

/** One device or all, printed. */
function shown(
  context: Context,
  store: StateStore,
  words: readonly string[],
  print: (instances: readonly DevlinkInstance[]) => Json,
): Answer<Json> {
  if (words.length > 1) throw usageError(`devlink: '${words[1]}' is one word too many\n${USAGE}`);
  const names = words.length === 1 ? [handleName(words[0]!)] : store.read().devices.map((d) => d.name);
  const opened: OpenDevice[] = [];
  for (const name of names) {
    const one = name === null ? undefined : store.device(name);
    if (one === undefined) return refuse("ENODEV");
    const device = openDevice(one.record, recordProfile(one.record), one.image);
    if (device.lost !== null) context.err.line(`Warning: sim/${name}: ${device.lost}.`);
    opened.push(device);
  }
  return { ok: true, value: print(opened.map((o) => o.instance)) };
}

/** The graph of the parser that a device runs, exactly the bytes that were hashed. */
function dump(context: Context, parsed: Parsed, store: StateStore, words: readonly string[]): number {
  if (words.length !== 1) throw usageError(`devlink: parser dump of which DEV?\n${USAGE}`);
  const name = handleName(words[0]!);
  const one = name === null ? undefined : store.device(name);
  if (one === undefined) return told(context, parsed, refuse("ENODEV"));
  const { instance } = openDevice(one.record, recordProfile(one.record), one.image);
  const parser = instance.bundle?.programs.find((p) => p.irKind === IR_KIND.cpr);
  if (parser === undefined) return told(context, parsed, refuse("ENODATA", "no parser is loaded"));
  const text = new TextDecoder().decode(parser.ir);
  context.out.write(parsed.print.json ? text.slice(CANONICAL_PREFIX.length) : text);
  return EXIT.ok;
}

/** NAME of `sim/NAME` or `NAME`; null: a handle of another bus. */
function handleName(word: string): string | null {
  const name = deviceName(word);
  return name.includes("/") ? null : name;
}

function requestOf(words: readonly string[]): ReloadRequest {
  const request: { -readonly [K in keyof ReloadRequest]: ReloadRequest[K] } = {};
  const value = (i: number): string => {
    const word = words[i + 1];
    if (word === undefined) throw usageError(`devlink: '${words[i]}' needs a value\n${USAGE}`);
    return word;
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "action") request.action = value(i++);
    else if (word === "limit") request.limits = [...(request.limits ?? []), value(i++)];
    else if (word === "netns") request.netns = [...(request.netns ?? []), value(i++)];
    else if (word === "file") request.file = value(i++);
    else if (word === "force") request.force = true;
    else if (word === "dry-run" || word === "dry_run") request.dryRun = true;
    else if (/^parser[-_]fetch$/.test(request.action ?? "") && request.file === undefined)
      request.file = word;
    else throw usageError(`devlink: '${word}' is not expected here\n${USAGE}`);
  }
  const known = ["driver_reinit", "fw_activate", "parser_fetch", "parser-fetch"];
  if (request.action !== undefined && !known.includes(request.action))
    throw usageError(
      `devlink: action '${request.action}' is not known; one of: ${known.slice(0, 3).join(", ")}`,
    );
  const limit = request.limits?.find((l) => l !== "no_reset");
  if (limit !== undefined) throw usageError(`devlink: limit '${limit}' is not known; no_reset is accepted`);
  return request;
}

/** Under the lock of the state directory from reading to writing: a second reload waits, never interleaves. */
async function reload(
  context: Context,
  parsed: Parsed,
  store: StateStore,
  words: readonly string[],
): Promise<number> {
  if (words.length === 0) throw usageError(`devlink: reload of which DEV?\n${USAGE}`);
  const name = handleName(words[0]!);
  const request = requestOf(words.slice(1));
  const answer = await store.change<Answer<ReloadReply>>(async (state) => {
    const record = state.devices.find((d) => d.name === name);
    if (record === undefined) return { state, result: refuse("ENODEV") };
    const opened = openDevice(
      record,
      recordProfile(record),
      record.image === null ? null : store.image(record.image),
    );
    const reloading = reloadContext(opened, parsed.firmwareRoot, (m) => {
      if (context.progress)
        context.err.line(
          `[${m.component}] ${m.message}${m.total > 0 ? ` ${Math.floor((m.done * 100) / m.total)}%` : ""}`,
        );
    });
    const result = await opened.instance.reload(request, reloading);
    const { bundle } = opened.instance;
    // a refused reload leaves what ran before, even where its bytes are lost
    const image = bundle !== null ? store.putImage(bundle.image) : opened.lost !== null ? record.image : null;
    const next = result.ok || opened.instance.reloadFailed ? recordOf(record, opened, image) : record;
    return { state: { ...state, devices: state.devices.map((d) => (d === record ? next : d)) }, result };
  });
  return told(context, parsed, replyOf(answer));
}

function replyOf(answer: Answer<ReloadReply>): { ok: true; value: Json | null } | Refusal {
  if (!answer.ok) return answer;
  const { fetched } = answer.value;
  if (fetched?.generation === null)
    return {
      ok: true,
      value: {
        reload: {
          dry_run: true,
          file: fetched.path,
          programs: fetched.programs.map((p) => ({ function: p.name, hash: p.sha256 })),
        },
      },
    };
  return { ok: true, value: devReload(answer.value) };
}

/** The command. */
export const devlinkCommand: Command = {
  name: "devlink",
  summary: "iproute2's devlink over model devices: dev show, info, reload, parser show",
  usage: "[OPTIONS] dev show|info|reload|parser ...",
  options: {},
  raw: true,
  run,
};
