/** What this machine offers of the live kernel. */
import { existsSync } from "node:fs";
import { release } from "node:os";
import { LinuxError } from "./errors.ts";
import { Fixture } from "./fixture/fixture.ts";
import { libc } from "./libc.ts";

/** One facility. */
export interface LiveFacility {
  readonly name: string;
  readonly present: boolean;
  /** What the kernel said where it was tried and refused. */
  readonly said?: string;
  /** How to get it, where it is missing. */
  readonly how?: string;
  /** Nothing runs without it. */
  readonly required: boolean;
}

/** All of them. */
export interface LiveStatus {
  /** `uname -r`; of another system its own word. */
  readonly kernel: string;
  readonly facilities: readonly LiveFacility[];
  /** Every required facility is there. */
  readonly usable: boolean;
}

const HOW: Readonly<Record<string, string>> = {
  tap: "modprobe tun",
  "tap USO": "Linux 6.2 or later",
  "tap UDP tunnel GSO": "Linux 6.17 or later",
  veth: "a kernel with CONFIG_VETH",
  bridge: "a kernel with CONFIG_BRIDGE",
  "bpf arena": "Linux 6.9 or later, x86-64 or arm64",
  "keys of the flow dissector": "CAP_PERFMON, and a 64-bit kernel that leaves them on its stack",
  "bpf JIT": "a kernel with CONFIG_BPF_JIT",
};

function koffiIsThere(): boolean {
  try {
    libc();
    return true;
  } catch (error) {
    if (error instanceof LinuxError) return false;
    throw error;
  }
}

/** Try everything, in a namespace of its own. Never throws for what is missing. */
export async function liveStatus(): Promise<LiveStatus> {
  const linux = process.platform === "linux";
  const basic = (name: string, present: boolean, how: string): LiveFacility => ({
    name,
    present,
    required: true,
    ...(present ? {} : { how }),
  });
  const facilities: LiveFacility[] = [
    basic("Linux", linux, "run on Linux"),
    basic("koffi", koffiIsThere(), "npm install koffi (an optional dependency)"),
    basic("root", linux && process.geteuid?.() === 0, "run as root, sudo for one"),
    basic(
      "/dev/net/tun",
      existsSync("/dev/net/tun"),
      "modprobe tun; in a container: --device /dev/net/tun --cap-add NET_ADMIN --cap-add SYS_ADMIN",
    ),
  ];
  if (facilities.every((f) => f.present)) facilities.push(...(await tried()));
  return {
    kernel: linux ? release() : process.platform,
    facilities,
    usable: facilities.every((f) => f.present || !f.required),
  };
}

async function tried(): Promise<LiveFacility[]> {
  let fixture: Fixture;
  try {
    fixture = await Fixture.start({ kind: "status" });
  } catch (error) {
    const said = (error as Error).message;
    const how = "CAP_SYS_ADMIN and CAP_NET_ADMIN; a container needs both added";
    return [{ name: "network namespace", present: false, said, how, required: true }];
  }
  const { json } = await fixture.request({});
  await fixture.close();
  const found: LiveFacility[] = [{ name: "network namespace", present: true, required: true }];
  for (const [name, said] of Object.entries(json as Record<string, string>)) {
    const present = said === "yes";
    const how = HOW[name] ?? "a kernel that allows such programs";
    const required = name === "tap" || name === "bridge";
    found.push({ name, present, required, ...(present ? {} : { said, how }) });
  }
  // the setting belongs to the first namespace, so that the fixture does not see it
  const jit = existsSync("/proc/sys/net/core/bpf_jit_enable");
  found.push({ name: "bpf JIT", present: jit, required: false, ...(jit ? {} : { how: HOW["bpf JIT"]! }) });
  return found;
}
