/** A network namespace of one's own. */
import { writeFileSync } from "node:fs";
import { ok } from "./errors.ts";
import { libc } from "./libc.ts";

const CLONE_NEWNET = 0x40000000;
const O_RDONLY_CLOEXEC = 0x80000;
const CLONE_NEWNS = 0x20000;
const MS_REC = 0x4000;
const MS_PRIVATE = 1 << 18;

/**
 * Sysctls of the namespace: no IPv6 addresses, hence no router solicitation or duplicate address detection among
 * what is measured; and bridges that pass every frame, where br_netfilter would drop those with a bad IP header.
 */
const QUIET: readonly (readonly [path: string, value: string])[] = [
  ["ipv6/conf/default/disable_ipv6", "1"],
  ["ipv6/conf/all/disable_ipv6", "1"],
  ["bridge/bridge-nf-call-iptables", "0"],
  ["bridge/bridge-nf-call-ip6tables", "0"],
  ["bridge/bridge-nf-call-arptables", "0"],
];

/**
 * Move the calling thread into a fresh network namespace. Nothing names it: it ends with the last thread,
 * descriptor or interface in it.
 * Throws {@link LinuxError} EPERM without CAP_SYS_ADMIN.
 */
export function enterNewNetworkNamespace(): void {
  ok(libc().unshare(CLONE_NEWNET), "a network namespace of one's own (unshare CLONE_NEWNET)");
  for (const [path, value] of QUIET) {
    try {
      writeFileSync(`/proc/sys/net/${path}`, value);
    } catch {
      // a kernel without IPv6 or br_netfilter has no such setting and makes no such trouble
    }
  }
}

/** Where a network namespace lies that `ip netns` has named; a path stays what it is. */
export function namespacePath(name: string): string {
  return name.includes("/") ? name : `/run/netns/${name}`;
}

/**
 * Run something in a network namespace; the calling thread is back in its own afterwards.
 * @param path - of the namespace; @param run - not asynchronous; it is given the namespace's descriptor
 * Throws {@link LinuxError}: ENOENT, EINVAL for a file that is no namespace, EPERM without CAP_SYS_ADMIN.
 */
export function inNamespace<T>(path: string, run: (fd: number) => T): T {
  const c = libc();
  const fd = ok(c.open(path, O_RDONLY_CLOEXEC), `open ${path}`);
  try {
    const own = ok(c.open("/proc/thread-self/ns/net", O_RDONLY_CLOEXEC), "this thread's namespace");
    try {
      ok(c.setns(fd, CLONE_NEWNET), `enter ${path}`);
      try {
        return run(fd);
      } finally {
        ok(c.setns(own, CLONE_NEWNET), "back into the namespace of before");
      }
    } finally {
      c.close(own);
    }
  } finally {
    c.close(fd);
  }
}

/**
 * Give this thread a mount namespace of its own in which /sys shows the links of its network namespace; the mounts of
 * others stay as they are. Throws {@link LinuxError}.
 */
export function mountOwnSysfs(): void {
  const c = libc();
  ok(c.unshare(CLONE_NEWNS), "a mount namespace of one's own (unshare CLONE_NEWNS)");
  ok(c.mount("none", "/", "", MS_REC | MS_PRIVATE), "make mounts private");
  ok(c.mount("sysfs", "/sys", "sysfs", 0), "mount sysfs");
}
