/** `netoffload cpr fit`, and the tcam target of `cpr run` and `cpr compile`. */
import {
  compileTcam,
  fitTcam,
  orThrow,
  type Parser,
  type Result,
  TCAM_IDEAL,
  type TcamLimits,
  type TcamResource,
} from "@netoffload/cpr-ir";
import { TcamEngine } from "@netoffload/nic-model";
import { type Context, type Options, stringOption } from "./command.ts";
import type { LineFault } from "./cpr-frames.ts";
import { profileOf } from "./device.ts";
import { EXIT, usageError } from "./exit.ts";

/** A parser on the device's engine, ready to run. */
export function tcamEngine(parser: Parser): TcamEngine {
  return orThrow(TcamEngine.load(tcamText(parser).text));
}

/** A parser compiled; what does not fit ends the command. */
export function tcamText(parser: Parser): { readonly text: Uint8Array } {
  const compiled = compileTcam(parser);
  if (!compiled.ok) throw usageError(faults(compiled).join("\n"));
  return compiled.value;
}

function faults(result: Extract<Result<unknown>, { ok: false }>): string[] {
  return result.diagnostics.map((d) => `${d.message}${d.path === undefined ? "" : ` (${d.path})`}`);
}

/** Run one frame; a packet that the engine gives up on is told. */
export function runTcam(
  engine: TcamEngine,
  frame: Uint8Array,
  keys: Uint32Array,
  start: number,
): TcamEngine | LineFault {
  engine.clear();
  engine.keys.set(keys);
  engine.run(frame, frame.length, start);
  return engine.trap === "none"
    ? engine
    : {
        code: "trap",
        message: `the parser engine gave up: ${engine.trap}, after ${engine.steps} states`,
      };
}

/** Hold a parser against a device's parser engine. */
export function fitParser(context: Context, path: string, parser: Parser, options: Options): number {
  const word = stringOption(options, "device") ?? "ideal";
  const limits = profileOf(word).parser;
  if (limits === null) {
    if (context.json) context.out.json({ file: path, device: word, fits: false, parser: null });
    else context.out.line(`${path}: ${word} has no parser engine`);
    return EXIT.difference;
  }
  const fit = fitTcam(parser, limits);
  const fits = fit.diagnostics.length === 0;
  const rows = (Object.keys(TCAM_IDEAL) as TcamResource[]).map((resource) => ({
    resource,
    need: fit.report?.total[resource] ?? null,
    limit: limits[resource as keyof TcamLimits],
  }));
  if (context.json)
    context.out.json({
      file: path,
      device: word,
      fits,
      merging: fit.merging,
      resources: rows,
      nodes: fit.report?.nodes ?? [],
      faults: fit.diagnostics.map((d) => ({
        resource: d.code.replace("tcam.", ""),
        node: d.path?.replace("node ", "") ?? null,
        message: d.message,
      })),
    });
  else {
    context.out.line(`${path}: ${parser.name} ${fits ? "fits" : "does not fit"} ${word}`);
    for (const d of fit.diagnostics) context.out.line(`  ${d.message}`);
    for (const r of rows) context.out.line(`  ${r.resource.padEnd(14)} ${r.need ?? "?"} of ${r.limit}`);
    if (!context.quiet)
      for (const n of fit.report?.nodes ?? [])
        context.out.line(
          `  node ${n.node}: entries ${n.entries}, states ${n.states}, window ${n.window}, key bits ${n.keyBits}, ` +
            `steps of an entry ${n.ops}, bytes per step ${n.bytesPerStep}, states of a packet ${n.steps}`,
        );
  }
  return fits ? EXIT.ok : EXIT.difference;
}
