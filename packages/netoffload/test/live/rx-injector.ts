/**
 * Gives the running kernel a received frame with ip_summed, csum_level and csum as a driver left them. A tap cannot say
 * any of it (tun ignores DATA_VALID and knows no COMPLETE), so the frame comes out of a VXLAN tunnel:
 *
 * - NONE: the outer UDP checksum is 0, which tells nothing of what is inside.
 * - UNNECESSARY: a BPF program at the tap raises the level, once for the outer header and once for each level inside.
 * - COMPLETE: the outer checksum is right and said to be verified, so the kernel converts it: inside, csum is the sum of
 *   the bytes. A BPF program at the tunnel device then adds what the driver's csum differs by.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { encodeInsns, type Insn } from "@netoffload/cpr-ir";
import { CHECKSUM_COMPLETE, CHECKSUM_NONE, CHECKSUM_UNNECESSARY } from "@netoffload/skbuff";
import { be16, bytes, fill } from "../../../csum/test/check/build.ts";
import { slowPartial } from "../../../csum/test/ref/slow.ts";
import {
  attachTcxIngress,
  BPF_PROG_TYPE,
  BpfProgram,
  Ethtool,
  Route,
  Tap,
} from "../../../linux/src/index.ts";

/** What a driver says of a frame. */
export interface RxState {
  readonly ipSummed: number;
  readonly csumLevel: number;
  /** COMPLETE: sum over what is behind the Ethernet header. */
  readonly csum: number;
}

const op = (code: number, dst: number, src: number, imm = 0): Insn => ({ op: code, dst, src, off: 0, imm });
const MOV_REG = 0xbf;
const MOV_IMM = 0xb7;
const MOV32_IMM = 0xb4;
const CALL = 0x85;
const EXIT = 0x95;
/** Helpers. */
const CSUM_UPDATE = 40;
const CSUM_LEVEL = 135;
const LEVEL_INC = 1;
const TCX_NEXT = -1;

function program(name: string, calls: readonly (readonly [helper: number, argument: number])[]): BpfProgram {
  const insns = [op(MOV_REG, 6, 1)];
  for (const [helper, argument] of calls)
    insns.push(op(MOV_REG, 1, 6), op(MOV32_IMM, 2, 0, argument | 0), op(CALL, 0, 0, helper));
  insns.push(op(MOV_IMM, 0, 0, TCX_NEXT), op(EXIT, 0, 0));
  return new BpfProgram({ type: BPF_PROG_TYPE.SCHED_CLS, name, text: encodeInsns(insns) });
}

const VXLAN_PORT = 4789;
/** Link-layer address of an interface. */
export const macOf = (name: string): Uint8Array => {
  const [link] = JSON.parse(execFileSync("ip", ["-j", "link", "show", name], { encoding: "utf8" })) as [
    { address: string },
  ];
  return Uint8Array.from(link.address.split(":").map((b) => Number.parseInt(b, 16)));
};

/** A counter of this thread's namespace: of the group `Udp` in snmp, or a name of snmp6. */
export function counter(name: string): number {
  if (name.startsWith("Udp6"))
    return Number(
      new RegExp(`^${name}\\s+(\\d+)`, "m").exec(readFileSync("/proc/thread-self/net/snmp6", "utf8"))?.[1] ??
        0,
    );
  const lines = readFileSync("/proc/thread-self/net/snmp", "utf8").split("\n");
  const [names, values] = lines.filter((l) => l.startsWith("Udp:")).map((l) => l.split(" "));
  return Number(values![names!.indexOf(name)]);
}

/** In a namespace of its own: a tap, a tunnel device `vx0` (10.8.0.1) behind it, and another `vx1` (10.7.0.1) in that. */
export class RxInjector {
  /** Destination of frames for `vx0`, and of those inside of its tunnel for `vx1`. */
  readonly mac: Uint8Array;
  readonly innerMac: Uint8Array;
  readonly #tap: Tap = new Tap({ name: "t0" });
  readonly #tapMac: Uint8Array;
  readonly #route: Route = new Route();

  constructor() {
    const ip = (...words: string[]): string => execFileSync("ip", words, { encoding: "utf8" });
    const tunnel = (name: string, id: string, local: string, remote: string, dev: string): void => {
      const words = ["type", "vxlan", "id", id, "dstport", `${VXLAN_PORT}`, "local", local, "remote", remote];
      ip("link", "add", name, ...words, "dev", dev);
    };
    ip("addr", "add", "10.9.0.1/24", "dev", "t0");
    ip("link", "set", "t0", "up");
    tunnel("vx0", "5", "10.9.0.1", "10.9.0.2", "t0");
    ip("addr", "add", "10.8.0.1/24", "dev", "vx0");
    ip("link", "set", "vx0", "up");
    tunnel("vx1", "6", "10.8.0.1", "10.8.0.2", "vx0");
    ip("addr", "add", "10.7.0.1/24", "dev", "vx1");
    ip("link", "set", "vx1", "up");
    writeFileSync("/proc/sys/net/ipv6/conf/vx0/disable_ipv6", "0");
    ip("-6", "addr", "add", "2001:db8:8::1/64", "dev", "vx0", "nodad");
    // what a driver says goes to the stack, not to GRO
    const ethtool = new Ethtool();
    for (const name of ["vx0", "vx1"]) ethtool.setFeatures(this.#route.ifindex(name), { "rx-gro": false });
    ethtool.close();
    this.#tapMac = macOf("t0");
    this.mac = macOf("vx0");
    this.innerMac = macOf("vx1");
  }

  /** Let a frame for `vx0` arrive. @param frame - Ethernet frame, destination {@link mac} */
  inject(frame: Uint8Array, state: RxState): void {
    const complete = state.ipSummed === CHECKSUM_COMPLETE;
    if (!complete && state.ipSummed !== CHECKSUM_NONE && state.ipSummed !== CHECKSUM_UNNECESSARY)
      throw new RangeError("NONE, UNNECESSARY or COMPLETE");
    const levels = complete ? 1 : state.ipSummed === CHECKSUM_UNNECESSARY ? 2 + state.csumLevel : 0;
    const atTap = program(
      "raise",
      Array.from({ length: levels }, () => [CSUM_LEVEL, LEVEL_INC] as const),
    );
    const atTunnel = program("differ", complete ? [[CSUM_UPDATE, this.#difference(frame, state.csum)]] : []);
    const links = [
      attachTcxIngress(atTap, this.#route.ifindex("t0")),
      attachTcxIngress(atTunnel, this.#route.ifindex("vx0")),
    ];
    this.#tap.write(this.#wrap(frame, complete));
    // delivery is asynchronous; the programs must stay for it
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    for (const link of links) link.close();
    atTap.close();
    atTunnel.close();
  }

  /** What must be added to the sum of the frame's bytes to make it `csum`; 0 leaves it. */
  #difference(frame: Uint8Array, csum: number): number {
    const truth = slowPartial(frame.subarray(14));
    const folded = (csum & 0xffff) + (csum >>> 16);
    const said = (folded & 0xffff) + (folded >>> 16);
    return said >= truth ? said - truth : said + 0xffff - truth;
  }

  #wrap(frame: Uint8Array, checked: boolean): Uint8Array {
    const udp = bytes(
      be16(5555),
      be16(VXLAN_PORT),
      be16(16 + frame.length),
      0,
      0,
      [8, 0, 0, 0, 0, 0, 5, 0],
      frame,
    );
    const pseudo = bytes([10, 9, 0, 2], [10, 9, 0, 1], 0, 17, be16(udp.length));
    if (checked) fill(udp, 6, pseudo, "right");
    const header = bytes(
      0x45,
      0,
      be16(20 + udp.length),
      0,
      1,
      0,
      0,
      64,
      17,
      0,
      0,
      [10, 9, 0, 2],
      [10, 9, 0, 1],
    );
    fill(header, 10, new Uint8Array(0), "right");
    return bytes(this.#tapMac, [2, 0, 0, 0, 0, 1], be16(0x0800), header, udp);
  }

  close(): void {
    this.#route.close();
    this.#tap.close();
  }
}
