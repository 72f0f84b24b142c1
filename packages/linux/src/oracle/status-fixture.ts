/** In the fixture's process: what the kernel offers, found out by trying. */
import { LinuxError } from "../errors.ts";
import { libc } from "../libc.ts";
import { Route } from "../netlink/route.ts";
import { StructBytes } from "../struct-bytes.ts";
import * as tap from "../tap.ts";
import { FlowKeysProbe } from "./flow-keys-probe.ts";
import type { Handler } from "./handlers.ts";

const BPF_MAP_CREATE = 0;
const BPF_PROG_LOAD = 5;
const BPF_MAP_TYPE_ARENA = 33;
const BPF_F_MMAPABLE = 1 << 10;
const BPF_F_SLEEPABLE = 1 << 4;
const PROGRAM_TYPES: Readonly<Record<string, number>> = {
  socket_filter: 1,
  sched_cls: 3,
  xdp: 6,
  flow_dissector: 22,
  syscall: 31,
};
/** `r0 = 0; exit`. */
const RETURN_0: Uint8Array = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
const LICENSE: Uint8Array = new TextEncoder().encode("GPL\0");
const TUNNEL = tap.TUN_F_UDP_TUNNEL_GSO;
const TSO = tap.TUN_F_CSUM | tap.TUN_F_TSO4 | tap.TUN_F_TSO6;

/** `yes`, or why not. */
function tried(attempt: () => unknown): string {
  try {
    return attempt() === false ? "no" : "yes";
  } catch (error) {
    return error instanceof LinuxError ? error.code : (error as Error).message;
  }
}

/** A descriptor that bpf(2) gave is closed again; throws what it answered otherwise. */
function bpf(command: number, attr: StructBytes): void {
  const fd = libc().bpf(command, attr);
  if (fd < 0) throw new LinuxError(`errno ${-fd}`, `bpf command ${command}`, {}, { errno: -fd });
  libc().close(fd);
}

function loadProgram(type: number): void {
  const attr = new StructBytes(48).u32(0, type).u32(4, 2).pointer(8, RETURN_0).pointer(16, LICENSE);
  bpf(BPF_PROG_LOAD, attr.u32(44, PROGRAM_TYPES.syscall === type ? BPF_F_SLEEPABLE : 0));
}

/** Answers any request with the facilities by name. */
export function statusFixture(): Handler {
  const route = new Route();
  const facilities: Record<string, string> = {
    tap: tried(() => tap.tapOffers(0, 12)),
    "tap checksum and TSO": tried(() => tap.tapOffers(TSO, 12)),
    "tap USO": tried(() => tap.tapOffers(TSO | tap.TUN_F_USO4 | tap.TUN_F_USO6, 12)),
    "tap UDP tunnel GSO": tried(() => tap.tapOffers(TSO | TUNNEL | tap.TUN_F_UDP_TUNNEL_GSO_CSUM, 24)),
    veth: tried(() => route.addVeth("probe1", "probe2")),
    bridge: tried(() => route.addBridge("probe3")),
    "bpf arena": tried(() =>
      bpf(BPF_MAP_CREATE, new StructBytes(72).u32(0, BPF_MAP_TYPE_ARENA).u32(12, 1).u32(16, BPF_F_MMAPABLE)),
    ),
  };
  for (const [name, type] of Object.entries(PROGRAM_TYPES))
    facilities[`bpf ${name} programs`] = tried(() => loadProgram(type));
  facilities["keys of the flow dissector"] = tried(() => new FlowKeysProbe().close());
  return () => ({ json: facilities, bytes: new Uint8Array(0) });
}
