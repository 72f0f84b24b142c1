/** Links: a program attached for as long as a descriptor is open. */
import { ok } from "../errors.ts";
import { libc } from "../libc.ts";
import { StructBytes } from "../struct-bytes.ts";
import { BPF_ATTACH_TYPE, BPF_CMD } from "./constants.ts";
import type { BpfProgram } from "./program.ts";

/** An attachment; closing it detaches. */
export class BpfLink {
  #fd: number;

  /** @param target - descriptor or interface index, as the place wants; @param place - one of BPF_ATTACH_TYPE */
  constructor(program: BpfProgram, target: number, place: number, flags = 0) {
    const attr = new StructBytes(64).u32(0, program.fd).u32(4, target).u32(8, place).u32(12, flags);
    this.#fd = ok(libc().bpf(BPF_CMD.LINK_CREATE, attr), `bpf: attach ${program.name}`, { target, place });
  }

  /** Descriptor; -1 once detached. */
  get fd(): number {
    return this.#fd;
  }

  /** Detach. May be called again. */
  close(): void {
    if (this.#fd >= 0) libc().close(this.#fd);
    this.#fd = -1;
  }
}

/** Make a program the flow dissector of a network namespace. @param netns - descriptor of the namespace */
export function attachFlowDissector(program: BpfProgram, netns: number): BpfLink {
  return new BpfLink(program, netns, BPF_ATTACH_TYPE.FLOW_DISSECTOR);
}

/** Run a program on every frame an interface receives. @param flags - XDP_FLAGS_*, e.g. 2: generic */
export function attachXdp(program: BpfProgram, ifindex: number, flags = 0): BpfLink {
  return new BpfLink(program, ifindex, BPF_ATTACH_TYPE.XDP, flags);
}

/**
 * Run a SCHED_CLS program on every packet that enters the stack by an interface (Linux 6.6 and later), after generic XDP
 * and before anybody looks at headers or checksums.
 */
export function attachTcxIngress(program: BpfProgram, ifindex: number): BpfLink {
  return new BpfLink(program, ifindex, BPF_ATTACH_TYPE.TCX_INGRESS);
}
