/** `netoffload ethtool -k`: a device's features in ethtool's words, and the paper's table of what became of them. */
import { profileFeatures } from "@netoffload/nic-model";
import { FEATURES, type FeatureName, type Features, NETIF_F } from "@netoffload/skbuff";
import { featureMapping } from "../eval/mapping.ts";
import { StateStore, stateDirectory } from "../state.ts";
import type { Command, Context } from "./command.ts";
import { deviceName, recordProfile } from "./device.ts";
import { EXIT, usageError } from "./exit.ts";

/** ethtool's groups, in its order: a heading and the features under it; one feature alone has no line of its own. */
const GROUPS: readonly (readonly [string, readonly FeatureName[]])[] = [
  ["rx-checksumming", ["RXCSUM"]],
  ["tx-checksumming", ["IP_CSUM", "HW_CSUM", "IPV6_CSUM", "FCOE_CRC", "SCTP_CRC"]],
  ["scatter-gather", ["SG", "FRAGLIST"]],
  ["tcp-segmentation-offload", ["TSO", "TSO_ECN", "TSO_MANGLEID", "TSO6"]],
  ["generic-segmentation-offload", ["GSO"]],
  ["generic-receive-offload", ["GRO"]],
  ["large-receive-offload", ["LRO"]],
  ["rx-vlan-offload", ["HW_VLAN_CTAG_RX"]],
  ["tx-vlan-offload", ["HW_VLAN_CTAG_TX"]],
  ["ntuple-filters", ["NTUPLE"]],
  ["receive-hashing", ["RXHASH"]],
];

interface Line {
  readonly name: string;
  readonly active: boolean;
  readonly fixed: boolean;
  readonly indent: boolean;
}

/** All lines of `ethtool -k`. */
function lines(features: Features, hw: Features): Line[] {
  const out: Line[] = [];
  const grouped = new Set<FeatureName>();
  const line = (name: string, names: readonly FeatureName[], indent: boolean): void => {
    const mask = names.reduce((set, n) => set | NETIF_F[n], 0n);
    out.push({ name, active: (features & mask) !== 0n, fixed: (hw & mask) === 0n, indent });
  };
  for (const [heading, names] of GROUPS) {
    line(heading, names, false);
    for (const name of names) {
      grouped.add(name);
      if (names.length > 1) line(FEATURES.find((f) => f.name === name)!.ethtool, [name], true);
    }
  }
  for (const { name, ethtool } of FEATURES)
    if (!grouped.has(name) && ethtool !== "") line(ethtool, [name], false);
  return out;
}

function show(context: Context, word: string, state: string | undefined): number {
  const store = new StateStore(stateDirectory(state));
  const name = deviceName(word);
  const record = store.read().devices.find((d) => d.name === name);
  if (record === undefined) {
    context.err.line("netlink error: No such device");
    return EXIT.difference;
  }
  const { features, hwFeatures } = profileFeatures(recordProfile(record));
  const all = lines(features, hwFeatures);
  if (context.json) {
    const entries = all.map((l) => [l.name, { active: l.active, fixed: l.fixed, requested: l.active }]);
    context.out.json([{ ifname: `sim/${name}`, ...Object.fromEntries(entries) }]);
    return EXIT.ok;
  }
  context.out.line(`Features for sim/${name}:`);
  for (const l of all)
    context.out.line(
      `${l.indent ? "\t" : ""}${l.name}: ${l.active ? "on" : "off"}${l.fixed ? " [fixed]" : ""}`,
    );
  return EXIT.ok;
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
  usage: "-k NAME | -k --mapping",
  options: {
    features: { type: "boolean", short: "k", help: "show features (ethtool -k, --show-features)" },
    "show-features": { type: "boolean", help: "the same" },
    mapping: { type: "boolean", help: "which of the old features became which of the new ones" },
    state: { type: "string", value: "DIR", help: "where devices are kept" },
  },
  details: `
Prints ethtool's lines for a device made by 'netoffload dev add'; --json as ethtool --json does.
With --mapping: the paper's simplification, nineteen segmentation flags and three checksum flags become two.`,
  run(context, words, options): number {
    if (options.features !== true && options["show-features"] !== true)
      throw usageError("ethtool: -k is available: -k NAME, or -k --mapping");
    if (options.mapping === true) return mapping(context);
    if (words.length !== 1) throw usageError("ethtool -k: one device NAME, or --mapping");
    return show(context, words[0]!, typeof options.state === "string" ? options.state : undefined);
  },
};
