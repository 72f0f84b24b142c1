/** Numbers of bpf(2). @see include/uapi/linux/bpf.h */

/** Commands. */
export const BPF_CMD = {
  MAP_CREATE: 0,
  MAP_LOOKUP_ELEM: 1,
  MAP_UPDATE_ELEM: 2,
  MAP_DELETE_ELEM: 3,
  PROG_LOAD: 5,
  PROG_TEST_RUN: 10,
  OBJ_GET_INFO_BY_FD: 15,
  BTF_LOAD: 18,
  LINK_CREATE: 28,
} as const;

/** Map types used here. */
export const BPF_MAP_TYPE = { HASH: 1, ARRAY: 2, PROG_ARRAY: 3, ARENA: 33 } as const;
/** Program types used here. */
export const BPF_PROG_TYPE = {
  SOCKET_FILTER: 1,
  SCHED_CLS: 3,
  XDP: 6,
  FLOW_DISSECTOR: 22,
  SYSCALL: 31,
} as const;
/** Places a program is attached to. */
export const BPF_ATTACH_TYPE = { FLOW_DISSECTOR: 17, XDP: 37, TCX_INGRESS: 46, TCX_EGRESS: 47 } as const;

/** A map whose memory user space maps. */
export const BPF_F_MMAPABLE: number = 1 << 10;
/** A program that may sleep; `syscall` programs must. */
export const BPF_F_SLEEPABLE: number = 1 << 4;

/** Bytes of a name, NUL included. */
export const BPF_OBJ_NAME_LEN = 16;

/** A name as the kernel accepts it: letters, digits, `_` and `.`, 15 at most. */
export function objectName(name: string): string {
  return name.replace(/[^A-Za-z0-9_.]/g, "_").slice(0, BPF_OBJ_NAME_LEN - 1);
}
