/** Attachments, in the network namespace of a child process: they last as long as their descriptors. */
import { type ChildProcess, spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { facility, has } from "../../internal/test/facility.ts";
import {
  attachFlowDissector,
  attachTcxIngress,
  attachXdp,
  BPF_ATTACH_TYPE,
  BPF_PROG_TYPE,
  BpfProgram,
  libc,
  ok,
} from "../src/index.ts";

const CLONE_NEWNET = 0x4000_0000;
const XDP_FLAGS_SKB_MODE = 2;
const LOOPBACK = 1;
/** r0 = 2 (XDP_PASS); exit. */
const PASS = Uint8Array.of(0xb4, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
const here = process.platform === "linux" && process.getuid?.() === 0 && has("unshare");

describe.runIf(facility("bpf(2) and unshare", here, "run as root on Linux, install util-linux"))(
  "links",
  () => {
    let child: ChildProcess;
    let netns = -1;

    beforeAll(async () => {
      child = spawn("unshare", ["-n", "sleep", "60"], { stdio: "ignore" });
      const path = `/proc/${child.pid}/ns/net`;
      const own = readlinkSync("/proc/self/ns/net");
      while (readlinkSync(path) === own) await new Promise((done) => setTimeout(done, 10));
      netns = ok(libc().open(path, 0), "open namespace");
    });

    afterAll(() => {
      libc().close(netns);
      child.kill();
    });

    it("a flow dissector belongs to a namespace until its link is closed", () => {
      const load = (name: string): BpfProgram =>
        new BpfProgram({
          type: BPF_PROG_TYPE.FLOW_DISSECTOR,
          name,
          text: PASS,
          attachType: BPF_ATTACH_TYPE.FLOW_DISSECTOR,
        });
      const [first, second] = [load("first"), load("second")];
      const link = attachFlowDissector(first, netns);
      expect(link.fd).toBeGreaterThan(2);
      // one place, one program
      expect(() => attachFlowDissector(second, netns)).toThrow(/attach second: E/);
      link.close();
      link.close();
      attachFlowDissector(second, netns).close();
      first.close();
      second.close();
    });

    it("a packet program sees what enters by an interface, several one after the other", () => {
      const own = ok(libc().open("/proc/thread-self/ns/net", 0), "open own namespace");
      // r0 = TCX_NEXT; exit
      const text = Uint8Array.of(0xb4, 0, 0, 0, 255, 255, 255, 255, 0x95, 0, 0, 0, 0, 0, 0, 0);
      const load = (name: string): BpfProgram =>
        new BpfProgram({ type: BPF_PROG_TYPE.SCHED_CLS, name, text });
      const [first, second] = [load("first"), load("second")];
      ok(libc().setns(netns, CLONE_NEWNET), "enter namespace");
      try {
        const links = [attachTcxIngress(first, LOOPBACK), attachTcxIngress(second, LOOPBACK)];
        for (const link of links) link.close();
        expect(() => attachTcxIngress(first, 12345)).toThrow(/ENODEV/);
      } finally {
        ok(libc().setns(own, CLONE_NEWNET), "go back");
        libc().close(own);
        first.close();
        second.close();
      }
    });

    it("an XDP program belongs to an interface until its link is closed", () => {
      const own = ok(libc().open("/proc/thread-self/ns/net", 0), "open own namespace");
      const program = new BpfProgram({ type: BPF_PROG_TYPE.XDP, name: "pass", text: PASS });
      ok(libc().setns(netns, CLONE_NEWNET), "enter namespace");
      try {
        const link = attachXdp(program, LOOPBACK, XDP_FLAGS_SKB_MODE);
        expect(() => attachXdp(program, LOOPBACK, XDP_FLAGS_SKB_MODE)).toThrow(/attach pass: E/);
        link.close();
        attachXdp(program, LOOPBACK, XDP_FLAGS_SKB_MODE).close();
        expect(() => attachXdp(program, 12345, XDP_FLAGS_SKB_MODE)).toThrow(/ENODEV|EINVAL/);
      } finally {
        ok(libc().setns(own, CLONE_NEWNET), "go back");
        libc().close(own);
        program.close();
      }
    });
  },
);
