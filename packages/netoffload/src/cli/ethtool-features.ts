/** ethtool's words for features: its lines of `-k`, its settings of `-K`, and what it says of what came of them. */
import {
  FEATURES,
  type FeatureChange,
  type FeatureSets,
  type Features,
  featureSet,
  NETIF_F_NEVER_CHANGE,
} from "@netoffload/skbuff";

type Sets = Pick<FeatureSets, "features" | "hwFeatures" | "wantedFeatures">;

/** A group: its short word, its heading, the names that belong to it (`*` stands for any letters). */
const GROUPS: readonly (readonly [word: string, heading: string, names: string])[] = [
  ["rx", "rx-checksumming", "rx-checksum"],
  ["tx", "tx-checksumming", "tx-checksum-*"],
  ["sg", "scatter-gather", "tx-scatter-gather*"],
  ["tso", "tcp-segmentation-offload", "tx-tcp*-segmentation"],
  ["gso", "generic-segmentation-offload", "tx-generic-segmentation"],
  ["gro", "generic-receive-offload", "rx-gro"],
  ["lro", "large-receive-offload", "rx-lro"],
  ["rxvlan", "rx-vlan-offload", "rx-vlan-hw-parse"],
  ["txvlan", "tx-vlan-offload", "tx-vlan-hw-insert"],
  ["ntuple", "ntuple-filters", "rx-ntuple-filter"],
  ["rxhash", "receive-hashing", "rx-hashing"],
];

/** Names known to ethtool, in the order of their bits. */
const NAMES: readonly string[] = FEATURES.map((f) => f.ethtool).filter((name) => name !== "");

function members(pattern: string): readonly string[] {
  const regex = new RegExp(`^${pattern.replace("*", "[^ ]*")}$`);
  return NAMES.filter((name) => regex.test(name));
}

const maskOf = (names: readonly string[]): Features => featureSet(names) as Features;
const onOff = (on: boolean): string => (on ? "on" : "off");

/** One line of `ethtool -k`. */
export interface FeatureLine {
  readonly name: string;
  readonly active: boolean;
  /** Null for a heading over several features. */
  readonly fixed: boolean | null;
  readonly requested: boolean | null;
  readonly indent: boolean;
}

function line(name: string, mask: Features, sets: Sets, indent: boolean): FeatureLine {
  return {
    name,
    active: (sets.features & mask) !== 0n,
    fixed: (sets.hwFeatures & ~NETIF_F_NEVER_CHANGE & mask) === 0n,
    requested: (sets.wantedFeatures & mask) !== 0n,
    indent,
  };
}

/** All lines of `ethtool -k`. */
export function featureLines(sets: Sets): FeatureLine[] {
  const out: FeatureLine[] = [];
  const grouped = new Set<string>();
  for (const [, heading, pattern] of GROUPS) {
    const names = members(pattern);
    for (const name of names) grouped.add(name);
    const head = line(heading, maskOf(names), sets, false);
    if (names.length === 1) out.push(head);
    else {
      out.push({ ...head, fixed: null, requested: null });
      for (const name of names) out.push(line(name, maskOf([name]), sets, true));
    }
  }
  for (const name of NAMES) if (!grouped.has(name)) out.push(line(name, maskOf([name]), sets, false));
  return out;
}

/** A line as text. */
export function lineText({ name, active, fixed, requested, indent }: FeatureLine): string {
  const wish = requested !== null && requested !== active ? ` [requested ${onOff(requested)}]` : "";
  return `${indent ? "\t" : ""}${name}: ${onOff(active)}${fixed === true ? " [fixed]" : wish}`;
}

/** What `ethtool -K` asks for, or what is wrong with its words. */
export type FeatureRequest =
  | { readonly ok: true; readonly mask: Features; readonly value: Features }
  | { readonly ok: false; readonly usage: boolean; readonly message: string };

/** Read `NAME on|off ...`; a name is a short word, a heading or the kernel's. */
export function featureRequest(words: readonly string[]): FeatureRequest {
  let mask = 0n;
  let value = 0n;
  for (let i = 0; i < words.length; i += 2) {
    const word = words[i]!;
    const group = GROUPS.find(([short, heading]) => short === word || heading === word);
    const names = group === undefined ? [word] : members(group[2]);
    const state = words[i + 1];
    if (state !== "on" && state !== "off")
      return { ok: false, usage: true, message: `ethtool -K: '${word}' is not followed by 'on' or 'off'` };
    if (!names.every((name) => NAMES.includes(name)))
      return { ok: false, usage: false, message: "netlink error: bit name not found" };
    const set = maskOf(names);
    mask |= set;
    value = state === "on" ? value | set : value & ~set;
  }
  return { ok: true, mask, value };
}

/** One feature that changed, or did not though it was asked for. */
export interface NamedChange {
  readonly name: string;
  readonly active: boolean;
  /** What was asked for; null: nothing, it followed another. */
  readonly requested: boolean | null;
}

/** What ethtool says on stdout and stderr, and whether it fails. */
export interface ChangeReport {
  readonly changes: readonly NamedChange[];
  readonly out: readonly string[];
  readonly err: readonly string[];
  readonly failed: boolean;
}

/** Tell what came of a request; text only when that is not just what was asked for. */
export function changeReport(mask: Features, after: Features, change: FeatureChange): ChangeReport {
  const { refused, changed } = change;
  const changes: NamedChange[] = [];
  for (const name of NAMES) {
    const bit = maskOf([name]);
    if (((refused | changed) & bit) === 0n) continue;
    const active = (after & bit) !== 0n;
    const asked = (refused & bit) !== 0n ? !active : active;
    changes.push({ name, active, requested: (mask & bit) === 0n ? null : asked });
  }
  const failed = refused === mask;
  const err = failed ? ["Could not change any device features"] : [];
  const plain = refused === 0n && (changed & ~mask) === 0n;
  return { changes, out: plain ? [] : ["Actual changes:", ...changes.map(changeText)], err, failed };
}

function changeText({ name, active, requested }: NamedChange): string {
  const note =
    requested === null ? " [not requested]" : requested === active ? "" : ` [requested ${onOff(requested)}]`;
  return `${name}: ${onOff(active)}${note}`;
}
