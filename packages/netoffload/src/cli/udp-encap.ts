/** `--udp-encap PORT=KIND,...`: what lies behind UDP ports. */
import type { UdpEncap } from "@netoffload/csum";
import { type OptionSpec, type Options, stringOption } from "./command.ts";
import { usageError } from "./exit.ts";

const KINDS: readonly UdpEncap[] = ["none", "vxlan", "vxlan-gpe", "geneve", "gue", "mpls"];
/** IP protocols that foo-over-UDP carries, by name. */
const FOU: Readonly<Record<string, number>> = { ipip: 4, ip6: 41, gre: 47 };
const ACCEPTED = `PORT=KIND,...; kinds: ${KINDS.join(", ")}, fou:ipip, fou:ip6, fou:gre, fou:NUMBER`;

/** The option, for a command's table. */
export const UDP_ENCAP_OPTION: OptionSpec = {
  type: "string",
  value: "PORT=KIND,...",
  help: "tunnels behind UDP ports: vxlan, vxlan-gpe, geneve, gue, mpls, fou:ipip|ip6|gre|NUMBER, none",
};

/** Read the option; empty when absent. */
export function udpEncapOption(options: Options): Map<number, UdpEncap> {
  const map = new Map<number, UdpEncap>();
  const text = stringOption(options, "udp-encap");
  if (text === undefined) return map;
  for (const item of text.split(",")) {
    const [, port = "", kind = ""] = /^(\d{1,5})=([a-z0-9:-]+)$/.exec(item) ?? [];
    const inner = kind.startsWith("fou:") ? kind.slice(4) : "";
    const fou = FOU[inner] ?? (/^\d{1,3}$/.test(inner) ? Number(inner) : -1);
    const known = KINDS.find((k) => k === kind) ?? (fou >= 0 && fou <= 255 ? { fou } : undefined);
    if (port === "" || Number(port) > 65535 || known === undefined)
      throw usageError(`--udp-encap ${item}: ${ACCEPTED}`);
    map.set(Number(port), known);
  }
  if (map.size > 64) throw usageError(`--udp-encap: ${map.size} ports, 64 are possible`);
  return map;
}
