/** `netoffload live attach`: parsers of an image at their places in a network namespace. */
import { existsSync } from "node:fs";
import { type ImageProgram, IR_KIND, readImage, TARGET } from "@netoffload/cpr-ir";
import {
  attachFlowDissector,
  attachXdp,
  type BpfLink,
  inNamespace,
  LinuxError,
  type LoadedParser,
  namespacePath,
  Route,
} from "@netoffload/linux";
import { loadParser, ParserRefusal, parserOfImage, startBehindEthernet } from "../live/kernel-parser.ts";
import { type Command, type Context, numberOption, type Options, stringOption } from "./command.ts";
import { EXIT, facilityError, usageError } from "./exit.ts";
import { readInput } from "./input.ts";
import { refused } from "./live-load.ts";

const TICK_MS = 50;
/** What a process may lack to do this at all. */
const RIGHTS: readonly string[] = ["EPERM", "EACCES", "unsupported", "ENOSYS"];

/** What is attached where. */
interface Attached {
  readonly program: ImageProgram;
  readonly parser: LoadedParser;
  readonly link: BpfLink;
}

async function attach(context: Context, words: readonly string[], options: Options): Promise<number> {
  if (words.length !== 1) throw usageError("live attach: one IMAGE");
  const netns = stringOption(options, "netns");
  if (netns === undefined) throw usageError("live attach: --netns NAME: where the programs are attached");
  const programs = parsersOf(words[0]!);
  const dev = stringOption(options, "dev");
  if (dev === undefined && programs.some((p) => p.target === TARGET.xdp))
    throw usageError("live attach: an XDP program is attached to a link: --dev NAME");
  if (!existsSync(namespacePath(netns)))
    throw usageError(
      `--netns ${netns}: there is no network namespace ${namespacePath(netns)}; ip netns list shows them`,
    );
  const hold =
    stringOption(options, "hold") === undefined ? Infinity : numberOption(options, "hold", 0, 0, 86_400);
  const attached: Attached[] = [];
  const started = performance.now();
  try {
    for (const program of programs) {
      const done = attachOne(context, program, netns, dev);
      if (done === null) return EXIT.difference;
      attached.push(done);
      tell(context, done, netns, dev);
    }
    while (performance.now() - started < 1000 * hold && !context.interrupted())
      await new Promise((done) => setTimeout(done, TICK_MS));
  } finally {
    for (const { link, parser } of attached.reverse()) {
      link.close();
      parser.close();
    }
  }
  const seconds = (performance.now() - started) / 1000;
  const interrupted = context.interrupted();
  if (context.json)
    context.out.json({
      summary: true,
      detached: attached.length,
      seconds,
      ...(interrupted ? { interrupted } : {}),
    });
  else if (!context.quiet) context.out.line(`detached after ${seconds.toFixed(1)} s`);
  return EXIT.ok;
}

function parsersOf(file: string): ImageProgram[] {
  const image = readImage(readInput(file));
  if (!image.ok) throw usageError(`${file}: ${image.diagnostics[0]!.message}`);
  const programs = image.value.programs.filter(
    (p) => p.irKind === IR_KIND.cpr && (p.target === TARGET.ebpf || p.target === TARGET.xdp),
  );
  if (programs.length === 0)
    throw usageError(
      `${file}: no flow dissector and no XDP program; make one: cpr compile FILE.json --target ebpf|xdp -o IMAGE`,
    );
  return programs;
}

/** @returns null: the verifier refused it, and that was told */
function attachOne(
  context: Context,
  program: ImageProgram,
  netns: string,
  dev: string | undefined,
): Attached | null {
  const where = program.target === TARGET.xdp ? `link ${dev} in ${netns}` : `namespace ${netns}`;
  let parser: LoadedParser | undefined;
  try {
    parser = loadParser(program);
    const { program: loaded } = parser;
    if (program.target === TARGET.xdp) startBehindEthernet(parser, parserOfImage(program));
    const link = inNamespace(namespacePath(netns), (fd) =>
      program.target === TARGET.xdp
        ? attachXdp(loaded, ifindexOf(dev!, netns))
        : attachFlowDissector(loaded, fd),
    );
    return { program, parser, link };
  } catch (error) {
    parser?.close();
    if (error instanceof ParserRefusal) {
      refused(context, program.name, error);
      return null;
    }
    throw error instanceof LinuxError ? named(error, where) : error;
  }
}

function ifindexOf(dev: string, netns: string): number {
  const route = new Route();
  try {
    const found = route.links().find((link) => link.name === dev);
    if (found === undefined)
      throw usageError(
        `--dev ${dev}: namespace ${netns} has no such link; it has: ${route
          .links()
          .map((link) => link.name)
          .join(", ")}`,
      );
    return found.ifindex;
  } finally {
    route.close();
  }
}

/** What the kernel answers, in words that say what to do. */
function named(error: LinuxError, where: string): Error {
  if (RIGHTS.includes(error.code))
    return facilityError(`${where}: ${error.message}\nrun as root on Linux; see: netoffload live status`);
  if (error.code === "EEXIST" || error.code === "E2BIG" || error.code === "EBUSY")
    return usageError(
      `${where}: ${error.code}: a program is attached there already` +
        (where.startsWith("namespace")
          ? " (one flow dissector a namespace; none while the initial namespace has one, and none there while another has)"
          : ""),
    );
  return usageError(`${where}: ${error.message}`);
}

function tell(
  context: Context,
  { program, parser, link: _ }: Attached,
  netns: string,
  dev: string | undefined,
): void {
  const kind = program.target === TARGET.xdp ? "xdp" : "flow_dissector";
  const { id } = parser.program.info();
  const place = kind === "xdp" ? { netns, dev } : { netns };
  if (context.json)
    context.out.json({ name: program.name, hash: program.sha256, id, attached: kind, ...place });
  else
    context.out.line(
      `${program.name}  id ${id}  ${kind} of ${netns}${kind === "xdp" ? ` ${dev}` : ""}  ${program.sha256}`,
    );
  context.out.flush();
}

/** The command. */
export const liveAttachCommand: Command = {
  name: "live attach",
  summary: "make an image's parser the flow dissector of a network namespace, or the XDP program of a link",
  usage: "IMAGE --netns NAME [--dev LINK] [--hold SECONDS]",
  options: {
    netns: { type: "string", value: "NAME", help: "network namespace, as ip netns names it, or a path" },
    dev: { type: "string", value: "LINK", help: "link of the namespace, for XDP programs" },
    hold: { type: "string", value: "SECONDS", help: "how long (default: until Ctrl-C)" },
  },
  details: `
Takes images with parsers compiled for ebpf or xdp (cpr compile). The programs stay attached until the command ends,
however it ends. Exit code 1: the verifier refused one (its log is told); 2: no such image, namespace or link, or
the place is taken; 3: not root.`,
  run: attach,
};
