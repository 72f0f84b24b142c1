/** System calls by koffi, loaded at the first use: importing this package works everywhere. */
import { createRequire } from "node:module";
import { LinuxError } from "./errors.ts";
import { keepAlive } from "./keep-alive.ts";
import type { StructBytes } from "./struct-bytes.ts";

/** What is used of koffi. */
interface Koffi {
  load(path: string): { func(definition: string): (...args: unknown[]) => unknown };
  errno(): number;
  address(value: unknown): bigint;
  view(pointer: unknown, length: number): ArrayBuffer;
}

type Call = (...args: unknown[]) => number | bigint;

/** Numbers of system calls that libc has no function for. */
const SYS_BPF: Readonly<Record<string, number>> = { x64: 321, arm64: 280 };
const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

function loadKoffi(): Koffi {
  if (process.platform !== "linux")
    throw new LinuxError("unsupported", `this is ${process.platform}; the live kernel needs Linux`);
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch (cause) {
    throw new LinuxError(
      "unsupported",
      "koffi, an optional dependency, is not installed: npm install koffi",
      {},
      { cause },
    );
  }
}

function loadLibrary(koffi: Koffi): { func(definition: string): (...args: unknown[]) => unknown } {
  const failures: string[] = [];
  for (const name of LIBRARIES) {
    try {
      return koffi.load(name);
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  throw new LinuxError("unsupported", `no C library could be loaded: ${failures.join("; ")}`);
}

/** Memory that mmap gave. Its bytes must not be touched once it is unmapped. */
export interface Mapping {
  readonly address: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The C library's system calls. Every one gives 0 or a positive value, or an errno negated, and never throws for
 * what the kernel answers. Buffers are passed by address and may be any view; they are alive until the call returns.
 * A structure that holds addresses of other buffers is a {@link StructBytes}, which keeps those alive.
 */
export class Libc {
  readonly #koffi: Koffi;
  readonly #calls: Readonly<Record<string, Call>>;

  /** @internal use {@link libc} */
  constructor() {
    this.#koffi = loadKoffi();
    const library = loadLibrary(this.#koffi);
    const call = (definition: string): Call => library.func(definition) as Call;
    this.#calls = {
      open: call("int open(const char *path, int flags, int mode)"),
      close: call("int close(int fd)"),
      read: call("long read(int fd, void *buf, size_t n)"),
      write: call("long write(int fd, const void *buf, size_t n)"),
      ioctl: call("int ioctl(int fd, ulong request, void *arg)"),
      ioctlValue: call("int ioctl(int fd, ulong request, ulong arg)"),
      fcntl: call("int fcntl(int fd, int cmd, long arg)"),
      socket: call("int socket(int domain, int type, int protocol)"),
      socketpair: call("int socketpair(int domain, int type, int protocol, void *pair)"),
      bind: call("int bind(int fd, const void *addr, uint len)"),
      connect: call("int connect(int fd, const void *addr, uint len)"),
      setsockopt: call("int setsockopt(int fd, int level, int name, const void *value, uint len)"),
      getsockopt: call("int getsockopt(int fd, int level, int name, void *value, void *len)"),
      send: call("long send(int fd, const void *buf, size_t n, int flags)"),
      recv: call("long recv(int fd, void *buf, size_t n, int flags)"),
      sendmsg: call("long sendmsg(int fd, const void *msg, int flags)"),
      recvmsg: call("long recvmsg(int fd, void *msg, int flags)"),
      sendmmsg: call("int sendmmsg(int fd, void *msgs, uint n, int flags)"),
      recvmmsg: call("int recvmmsg(int fd, void *msgs, uint n, int flags, void *timeout)"),
      poll: call("int poll(void *fds, ulong n, int timeout)"),
      unshare: call("int unshare(int flags)"),
      mount: call(
        "int mount(const char *from, const char *to, const char *type, ulong flags, const void *data)",
      ),
      setns: call("int setns(int fd, int type)"),
      syscall: call("long syscall(long nr, uintptr_t a, void *b, uintptr_t c, uintptr_t d)"),
      munmap: call("int munmap(uintptr_t address, size_t n)"),
    };
    this.#mmap = library.func(
      "void *mmap(uintptr_t address, size_t n, int prot, int flags, int fd, int64_t off)",
    );
  }

  readonly #mmap: (...args: unknown[]) => unknown;

  #run(name: string, ...args: unknown[]): number {
    const result = Number(this.#calls[name]!(...args.map(bytesOf)));
    const value = result === -1 ? -this.#koffi.errno() : result;
    // structures among the arguments hold the buffers that their pointers name
    keepAlive(args);
    return value;
  }

  /** @param path - NUL-free; @returns a descriptor (close-on-exec is the caller's flag) */
  open(path: string, flags: number, mode = 0): number {
    return this.#run("open", path, flags, mode);
  }
  close(fd: number): number {
    return this.#run("close", fd);
  }
  /** @param length - bytes, at most those of `buffer`, which is the default */
  read(fd: number, buffer: Uint8Array, length: number = buffer.length): number {
    const result = Number(this.#calls.read!(fd, buffer, Math.min(length, buffer.length)));
    return result === -1 ? -this.#koffi.errno() : result;
  }
  /** As {@link read}. */
  write(fd: number, buffer: Uint8Array, length: number = buffer.length): number {
    const result = Number(this.#calls.write!(fd, buffer, Math.min(length, buffer.length)));
    return result === -1 ? -this.#koffi.errno() : result;
  }
  ioctl(fd: number, request: number, arg: Uint8Array | StructBytes | null): number {
    return this.#run("ioctl", fd, request, arg);
  }
  /** For requests whose argument is a number, not an address. */
  ioctlValue(fd: number, request: number, arg: number): number {
    return this.#run("ioctlValue", fd, request, arg);
  }
  fcntl(fd: number, command: number, arg: number): number {
    return this.#run("fcntl", fd, command, arg);
  }
  socket(domain: number, type: number, protocol: number): number {
    return this.#run("socket", domain, type, protocol);
  }
  /** @param pair - 8 bytes, which take two descriptors */
  socketpair(domain: number, type: number, protocol: number, pair: Uint8Array): number {
    return this.#run("socketpair", domain, type, protocol, pair);
  }
  /** @param address - a sockaddr, whole */
  bind(fd: number, address: Uint8Array): number {
    return this.#run("bind", fd, address, address.length);
  }
  connect(fd: number, address: Uint8Array): number {
    return this.#run("connect", fd, address, address.length);
  }
  setsockopt(fd: number, level: number, name: number, value: Uint8Array | StructBytes): number {
    return this.#run("setsockopt", fd, level, name, value, bytesOf(value).length);
  }
  /** @returns the length that was written into `value`, bytes */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
    const length = new Uint32Array([value.length]);
    const result = this.#run("getsockopt", fd, level, name, value, length);
    return result < 0 ? result : length[0]!;
  }
  send(fd: number, buffer: Uint8Array, flags = 0): number {
    return this.#run("send", fd, buffer, buffer.length, flags);
  }
  recv(fd: number, buffer: Uint8Array, flags = 0): number {
    return this.#run("recv", fd, buffer, buffer.length, flags);
  }
  /** @param message - a msghdr */
  sendmsg(fd: number, message: StructBytes, flags = 0): number {
    return this.#run("sendmsg", fd, message, flags);
  }
  recvmsg(fd: number, message: StructBytes, flags = 0): number {
    return this.#run("recvmsg", fd, message, flags);
  }
  /** @param messages - an array of mmsghdr; @param n - how many of them */
  sendmmsg(fd: number, messages: StructBytes, n: number, flags = 0): number {
    return this.#run("sendmmsg", fd, messages, n, flags);
  }
  recvmmsg(fd: number, messages: StructBytes, n: number, flags = 0): number {
    return this.#run("recvmmsg", fd, messages, n, flags, null);
  }
  /** @param fds - an array of struct pollfd; @param timeout - milliseconds, -1: without end */
  poll(fds: Uint8Array, n: number, timeout: number): number {
    return this.#run("poll", fds, n, timeout);
  }
  unshare(flags: number): number {
    return this.#run("unshare", flags);
  }
  mount(from: string, to: string, type: string, flags: number): number {
    return this.#run("mount", from, to, type, flags, null);
  }
  setns(fd: number, type: number): number {
    return this.#run("setns", fd, type);
  }

  /**
   * bpf(2).
   * @param command - BPF_*
   * @param attr - union bpf_attr, as long as this command needs; the kernel may write into it
   */
  bpf(command: number, attr: StructBytes): number {
    const nr = SYS_BPF[process.arch];
    if (nr === undefined)
      throw new LinuxError("unsupported", `bpf(2): its number on ${process.arch} is not known here`);
    return this.#run("syscall", nr, command, attr, attr.bytes.length, 0);
  }

  /**
   * mmap(2).
   * @param address - wanted address or 0; @param length - bytes; @param offset - into `fd`, bytes
   * @returns the mapping, or an errno negated
   */
  mmap(
    address: bigint,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset = 0,
  ): Mapping | number {
    const pointer = this.#mmap(address, length, protection, flags, fd, offset);
    if (pointer === null || BigInt.asUintN(64, BigInt(pointer as bigint)) === MAP_FAILED)
      return -this.#koffi.errno();
    return {
      address: pointer as bigint,
      bytes: new Uint8Array(this.#koffi.view(pointer, length)),
    };
  }
  munmap(mapping: Mapping): number {
    return this.#run("munmap", mapping.address, mapping.bytes.length);
  }

  /** Where a buffer's first byte lies. It says so only as long as the buffer is referenced: see {@link StructBytes}. */
  addressOf(buffer: Uint8Array): bigint {
    return this.#koffi.address(buffer);
  }
}

const MAP_FAILED = 0xffffffffffffffffn;

function bytesOf<T>(arg: T): T extends StructBytes ? Uint8Array : T;
function bytesOf(arg: unknown): unknown {
  // by shape: the class itself imports this module
  return typeof arg === "object" && arg !== null && "bytes" in arg ? arg.bytes : arg;
}

let instance: Libc | undefined;

/**
 * The system calls of this machine.
 * @returns one object for the whole process; throws {@link LinuxError} `unsupported` where there is no Linux or no koffi
 */
export function libc(): Libc {
  instance ??= new Libc();
  return instance;
}
