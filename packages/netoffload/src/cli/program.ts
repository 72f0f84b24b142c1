/** `netoffload program list|show|hash|build`: offload programs and their images. */
import {
  decodeInsns,
  decodeModule,
  decodeTcam,
  disassembleModule,
  hashParser,
  type Parser,
  printInsn,
  printTcam,
  readImage,
  TARGET,
  TCAM_IDEAL,
} from "@netoffload/cpr-ir";
import { bundleImage, compileForNpu } from "../image.ts";
import { parserByName } from "../parsers.ts";
import { findProgram, shippedPrograms } from "../programs.ts";
import type { Command, Context, Options } from "./command.ts";
import { stringOption } from "./command.ts";
import { portable, readParserFile } from "./cpr-read.ts";
import { profileOf } from "./device.ts";
import { EXIT, usageError } from "./exit.ts";
import { readInput } from "./input.ts";
import { OutputFile } from "./output.ts";

function list(context: Context): number {
  for (const p of shippedPrograms()) {
    if (context.json)
      context.out.json({
        name: p.name,
        function: p.functionNumber,
        hash: p.sha256,
        sha1: p.sha1,
        bytes: p.ir.length,
      });
    else context.out.line(`${p.name.padEnd(10)} ${p.sha256}  ${p.ir.length} bytes`);
  }
  return EXIT.ok;
}

function hash(context: Context, words: readonly string[]): number {
  if (words.length === 0) throw usageError("program hash: which program? NAME, NAME@sha256:HEX or FILE.wasm");
  for (const word of words) {
    const p = findProgram(word);
    if (context.json) context.out.json({ name: p.name, sha256: p.sha256, sha1: p.sha1 });
    else context.out.line(`${p.sha256}  ${word}\nsha1:${p.sha1}  ${word}`);
  }
  return EXIT.ok;
}

function build(context: Context, words: readonly string[], options: Options): number {
  const output = stringOption(options, "output");
  if (words.length === 0 || output === undefined)
    throw usageError("program build: ITEM... --target wasm|ebpf|npu|tcam -o IMAGE");
  const target = stringOption(options, "target") ?? "npu";
  const parsers: Parser[] = [];
  const items = words.flatMap((word) => {
    const [, item, own] = /^(.*?)(?::(wasm|npu|ebpf|tcam))?$/.exec(word)!;
    const shipped = parserByName(item!);
    const isParser = shipped !== undefined || /\.json$/.test(item!);
    // a parser's only target in an image: it need not be said
    const chosen = own ?? (isParser ? "tcam" : target);
    if (isParser) {
      if (chosen !== "tcam")
        throw usageError(`${item}: a parser's target in an image is tcam, not ${chosen}`);
      parsers.push(shipped ?? portable(readParserFile(context, item!, {}), item!, {}));
      return [];
    }
    if (chosen !== "wasm" && chosen !== "npu" && chosen !== "ebpf")
      throw usageError(`target ${chosen}: wasm, ebpf and npu are available`);
    return [{ program: findProgram(item!), target: chosen }];
  });
  if (parsers.length > 1) throw usageError("program build: an image holds one parser");
  const accel = options["no-accel"] === true ? "loops" : "units";
  const device = stringOption(options, "device");
  const limits = device === undefined ? TCAM_IDEAL : profileOf(device).parser;
  if (limits === null && parsers.length > 0) throw usageError(`--device ${device}: it has no parser engine`);
  const image = bundleImage(items, accel, parsers[0] ?? null, limits ?? TCAM_IDEAL);
  const built = [
    ...items.map((i) => ({ name: i.program.name, target: i.target, hash: i.program.sha256 })),
    ...parsers.map((p) => ({ name: "parser", target: "tcam", hash: hashParser(p).sha256 })),
  ];
  const file = new OutputFile(output);
  file.write(image);
  file.commit();
  if (context.json)
    context.out.json({
      file: output,
      bytes: image.length,
      programs: built,
    });
  else if (!context.quiet)
    context.out.line(
      `${output}: ${image.length} bytes, ${built.map((b) => `${b.name}:${b.target}`).join(" ")}`,
    );
  return EXIT.ok;
}

function show(context: Context, words: readonly string[]): number {
  if (words.length !== 1) throw usageError("program show: one IMAGE, NAME or FILE.wasm");
  const bytes =
    /\.wasm$/.test(words[0]!) || shippedPrograms().some((p) => p.name === words[0]!.split("@")[0])
      ? null
      : readInput(words[0]!);
  if (bytes === null) {
    const program = findProgram(words[0]!);
    const compiled = compileForNpu(program, "units");
    const decoded = decodeModule(program.ir);
    const code = decoded.ok ? disassembleModule(decoded.value) : [];
    if (context.json)
      context.out.json({
        name: program.name,
        hash: program.sha256,
        resources: compiled.resources,
        functions: compiled.functions,
        wasm: code,
        npu: lines(compiled.text),
      });
    else {
      context.out.line(
        `${program.name}  ${program.sha256}\nnpu: ${Object.entries(compiled.resources)
          .map(([k, v]) => `${k} ${v}`)
          .join(", ")}`,
      );
      for (const f of compiled.functions)
        context.out.line(`  ${f.name}: instructions ${f.start}..${f.end - 1}, spilled ${f.spills}`);
      for (const l of [...code, "", ...lines(compiled.text)]) context.out.line(l);
    }
    return EXIT.ok;
  }
  const image = readImage(bytes);
  if (!image.ok)
    throw usageError(
      `${words[0]}: ${image.diagnostics[0]!.message} (check ${image.diagnostics[0]!.check}, ${image.diagnostics[0]!.errno})`,
    );
  for (const p of image.value.programs) {
    const target = Object.entries(TARGET).find(([, n]) => n === p.target)?.[0] ?? String(p.target);
    const code = listing(p.target, p.text);
    if (context.json)
      context.out.json({
        name: p.name,
        target,
        abi: p.abi,
        function: p.functionNumber,
        hash: p.sha256,
        sha1: p.sha1,
        resources: p.resources,
        code,
      });
    else {
      context.out.line(
        `${p.name}  target ${target}  abi ${p.abi}  function ${p.functionNumber}\n  ${p.sha256}\n  sha1:${p.sha1}`,
      );
      context.out.line(
        `  ${Object.entries(p.resources)
          .filter(([, v]) => v > 0)
          .map(([k, v]) => `${k} ${v}`)
          .join(", ")}`,
      );
      for (const l of code) context.out.line(`  ${l}`);
    }
  }
  return EXIT.ok;
}

function listing(target: number, text: Uint8Array): string[] {
  if (target === TARGET.wasm) return wasmLines(text);
  if (target !== TARGET.tcam) return lines(text, target === TARGET.ebpf || target === TARGET.xdp);
  const program = decodeTcam(text);
  return program.ok ? printTcam(program.value) : [program.diagnostics[0]!.message];
}

function wasmLines(text: Uint8Array): string[] {
  const decoded = decodeModule(text);
  return decoded.ok ? disassembleModule(decoded.value) : [decoded.diagnostics[0]!.message];
}

function lines(text: Uint8Array, linux = false): string[] {
  const insns = decodeInsns(text, linux);
  if (!insns.ok) return [insns.diagnostics[0]!.message];
  let slot = 0;
  return insns.value.map((i) => {
    const line = `${String(slot).padStart(6)}: ${printInsn(i)}`;
    slot += i.imm64 === undefined ? 1 : 2;
    return line;
  });
}

/** The commands. */
export const programCommands: readonly Command[] = [
  { name: "program list", summary: "the offload programs of this build", usage: "", options: {}, run: list },
  {
    name: "program hash",
    summary: "SHA-256 (and SHA-1) of programs",
    usage: "NAME[@sha256:HEX]|FILE.wasm...",
    options: {},
    run: hash,
  },
  {
    name: "program build",
    summary: "compile programs into one image",
    usage: "ITEM[:TARGET]... --target wasm|ebpf|npu|tcam -o IMAGE",
    ownsOutput: true,
    options: {
      target: {
        type: "string",
        value: "TARGET",
        help: "wasm, ebpf or npu (default); tcam for a parser, by its name or as FILE.json",
      },
      device: {
        type: "string",
        value: "PROFILE",
        help: "make a parser fit this device's engine (default ideal)",
      },
      "no-accel": { type: "boolean", help: "link plain loops instead of acceleration units" },
    },
    run: build,
  },
  {
    name: "program show",
    summary: "note, resources and disassembly of an image or program",
    usage: "IMAGE|NAME|FILE.wasm",
    options: {},
    run: show,
  },
];
