/** `netoffload ethtool -k` and `-K`: a device's features in ethtool's words, and the paper's table of what became of them. */
import { recordFeatures } from "../devices.ts";
import { featureMapping } from "../eval/mapping.ts";
import { type DeviceRecord, StateStore, stateDirectory } from "../state.ts";
import { type Command, type Context, type Options, stringOption } from "./command.ts";
import { deviceName, recordProfile } from "./device.ts";
import { changeReport, featureLines, featureRequest, lineText } from "./ethtool-features.ts";
import { EXIT, usageError } from "./exit.ts";

const storeOf = (options: Options): StateStore =>
  new StateStore(stateDirectory(stringOption(options, "state")));

function noDevice(context: Context): number {
  context.err.line("netlink error: No such device");
  return EXIT.difference;
}

function show(context: Context, word: string, options: Options): number {
  const name = deviceName(word);
  const record = storeOf(options)
    .read()
    .devices.find((d) => d.name === name);
  if (record === undefined) return noDevice(context);
  const all = featureLines(recordFeatures(record, recordProfile(record)));
  if (context.json) {
    const entries = all.map((l) => [l.name, { active: l.active, fixed: l.fixed, requested: l.requested }]);
    context.out.json([{ ifname: `sim/${name}`, ...Object.fromEntries(entries) }]);
    return EXIT.ok;
  }
  context.out.line(`Features for sim/${name}:`);
  for (const l of all) context.out.line(lineText(l));
  return EXIT.ok;
}

/** Turn features on and off; what depends on them follows, and is told. */
async function change(context: Context, words: readonly string[], options: Options): Promise<number> {
  const name = deviceName(words[0]!);
  const request = featureRequest(words.slice(1));
  if (!request.ok && request.usage) throw usageError(request.message);
  return storeOf(options).change<number>((state) => {
    const stay = (result: number): { state: typeof state; result: number } => ({ state, result });
    const record = state.devices.find((d) => d.name === name);
    if (record === undefined) return stay(noDevice(context));
    if (!request.ok) {
      context.err.line(request.message);
      return stay(EXIT.difference);
    }
    const sets = recordFeatures(record, recordProfile(record));
    const done = sets.set(request.mask, request.value);
    if (done === null) {
      context.err.line("netlink error: attempt to change non-ethtool features");
      context.err.line("netlink error: Invalid argument");
      return stay(EXIT.difference);
    }
    const report = changeReport(request.mask, sets.features, done);
    if (context.json)
      context.out.json({
        ifname: `sim/${name}`,
        changes: report.changes,
        rules: done.dropped.map(({ rule, why }) => ({ rule, why })),
      });
    else for (const text of report.out) context.out.line(text);
    for (const text of report.err) context.err.line(text);
    const changed: DeviceRecord = { ...record, wanted: sets.wantedFeatures.toString(16) };
    const devices = state.devices.map((d) => (d === record ? changed : d));
    return { state: { ...state, devices }, result: report.failed ? EXIT.difference : EXIT.ok };
  });
}

/** The table of the paper's simplification. */
function mapping(context: Context): number {
  const rows = featureMapping();
  if (context.json) for (const row of rows) context.out.json(row);
  else {
    context.out.line(`${"old".padEnd(22)}${"ethtool".padEnd(34)}${"new".padEnd(12)}the driver's rule`);
    for (const r of rows)
      context.out.line(`${r.old.padEnd(22)}${(r.ethtool || "-").padEnd(34)}${r.new.padEnd(12)}${r.driver}`);
  }
  return EXIT.ok;
}

/** The command; its words are ethtool's. */
export const ethtoolCommand: Command = {
  name: "ethtool",
  summary: "features of a model device in ethtool's words",
  usage: "-k NAME | -k --mapping | -K NAME FEATURE on|off ...",
  options: {
    features: { type: "boolean", short: "k", help: "show features (ethtool -k, --show-features)" },
    "show-features": { type: "boolean", help: "the same" },
    offload: { type: "boolean", short: "K", help: "turn features on or off (ethtool -K, --offload)" },
    mapping: { type: "boolean", help: "which of the old features became which of the new ones" },
    state: { type: "string", value: "DIR", help: "where devices are kept" },
  },
  details: `
Prints ethtool's lines for a device made by 'netoffload dev add'; --json as ethtool --json does.
-K takes ethtool's short words (rx, tx, sg, tso, gso, gro, lro, rxvlan, txvlan, ntuple, rxhash), its headings and the
kernel's names; what depends on a feature goes and comes with it, and is printed under 'Actual changes'. Without transmit
checksums (or rx) the device's tx_csum (rx_csum) is SOFTWARE, ADMIN.
With --mapping: the paper's simplification, nineteen segmentation flags and three checksum flags become two.`,
  async run(context, words, options): Promise<number> {
    if (options.offload === true) {
      if (words.length === 0) throw usageError("ethtool -K: NAME FEATURE on|off ...");
      return change(context, words, options);
    }
    if (options.features !== true && options["show-features"] !== true)
      throw usageError("ethtool: -k and -K are available: -k NAME, -k --mapping, -K NAME FEATURE on|off");
    if (options.mapping === true) return mapping(context);
    if (words.length !== 1) throw usageError("ethtool -k: one device NAME, or --mapping");
    return show(context, words[0]!, options);
  },
};
