/**
 * What the kernel's own flow dissector finds, all of it: struct flow_keys. No interface gives it out. A program of type
 * `sched_cls` has the kernel hash a packet (`bpf_get_hash_recalc` dissects into a flow_keys on the stack) and reads
 * that part of its own kernel stack before anything else is put there: the function that asks has a large frame, so
 * that what is called afterwards lies above. Where the keys lie is found by packets whose keys are known.
 */
import {
  alu,
  assemble,
  call,
  callOwn,
  exit,
  HELPER,
  type Insn,
  mapValue,
  move,
  set,
  store,
} from "../bpf/assemble.ts";
import { BPF_F_MMAPABLE, BPF_MAP_TYPE, BPF_PROG_TYPE } from "../bpf/constants.ts";
import { createMap } from "../bpf/map.ts";
import { BpfProgram } from "../bpf/program.ts";
import { LinuxError, ok } from "../errors.ts";
import { libc, type Mapping } from "../libc.ts";
import { StructBytes } from "../struct-bytes.ts";

/** Bytes of struct flow_keys on 64-bit machines. */
export const FLOW_KEYS_BYTES = 80;
/** Where its parts lie. @see include/net/flow_dissector.h */
export const FLOW_KEYS = {
  thoff: 0,
  addrType: 2,
  flags: 4,
  nProto: 8,
  ipProto: 10,
  flowLabel: 12,
  vlan: 16,
  keyid: 32,
  ports: 36,
  addrs: 44,
} as const;
/** Packets that test_run takes: an Ethernet header and something behind it, within a page. */
export const MOST_PROBED = 3500;

const PAGE = 4096;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
/** How far below the program's frame the keys are looked for, bytes. */
const DEEPEST = 1200;
const SEARCHED = 1000;
/** Frames of the two functions that ask: what disturbs one place is not what disturbs the other. */
const OWN_FRAMES = [384, 240] as const;
const BPF_PROG_TEST_RUN = 10;
const TRIES = 8;
/** Where in the map's value the two answers are put. */
const ANSWERS = [0, 1024] as const;

const [R0, R1, R2, R3, R6, R7, R8, R10] = [0, 1, 2, 3, 6, 7, 8, 10] as const;

/**
 * r0 = the hash. Each function asks once; `bytes` of the stack, from `below` the frame on, go into the map's value.
 * @param below - for each function
 */
function text(map: number, below: readonly [number, number], bytes: number): Uint8Array {
  const asks = OWN_FRAMES.map((frame): Insn[] => [
    set(R2, 0),
    store(8, R10, -frame, R2),
    call(HELPER.get_hash_recalc),
    exit(),
  ]);
  const round = (n: 0 | 1, slotsToAsk: number): Insn[] => [
    move(R1, R6),
    callOwn(slotsToAsk),
    move(R8, R0),
    move(R1, R7),
    alu("add", R1, ANSWERS[n]),
    set(R2, bytes),
    move(R3, R10),
    alu("add", R3, -below[n]),
    call(HELPER.probe_read_kernel),
  ];
  const end = [move(R0, R8), exit()];
  const slots = round(0, 0).length;
  // a call counts from the instruction behind it, which is the round's third
  const first = slots - 2 + slots + end.length;
  return assemble(
    move(R6, R1),
    mapValue(R7, map),
    ...round(0, first),
    ...round(1, first - slots + asks[0]!.length),
    ...end,
    ...asks.flat(),
  );
}

/** Asks about packets one at a time; in the calling thread's network namespace. Close it. */
export class FlowKeysProbe {
  readonly #map: number;
  readonly #mapping: Mapping;
  readonly #program: BpfProgram;
  readonly #attr: StructBytes = new StructBytes(80);
  readonly #again: Uint8Array;
  readonly #packet: Uint8Array = new Uint8Array(PAGE);
  /** The hash of the last packet. */
  hash = 0;
  /** Its keys, {@link FLOW_KEYS_BYTES}; the two ends in the order that the hash wants. */
  readonly keys: Uint8Array;

  /** Throws {@link LinuxError}: EPERM without root; ENODATA where the keys are not found on the stack. */
  constructor() {
    this.#map = createMap({
      type: BPF_MAP_TYPE.ARRAY,
      name: "flow_keys",
      keySize: 4,
      valueSize: PAGE,
      maxEntries: 1,
      flags: BPF_F_MMAPABLE,
    });
    const mapping = libc().mmap(0n, PAGE, PROT_READ_WRITE, MAP_SHARED, this.#map);
    if (typeof mapping === "number") {
      libc().close(this.#map);
      throw new LinuxError("ENOMEM", "flow keys: the map's memory", {}, { errno: -mapping });
    }
    this.#mapping = mapping;
    const answers = ANSWERS.map((at) => mapping.bytes.subarray(at, at + FLOW_KEYS_BYTES));
    [this.keys, this.#again] = answers as [Uint8Array, Uint8Array];
    this.#program = this.#load(this.#find(), FLOW_KEYS_BYTES);
  }

  /** Dissect a packet, from its Ethernet header. @returns 0, or a negative errno; -EAGAIN: it was disturbed again and again */
  ask(packet: Uint8Array): number {
    for (let tries = 0; tries < TRIES; tries++) {
      const failed = this.#run(this.#program, packet);
      if (failed < 0) return failed;
      if (Buffer.compare(this.keys, this.#again) === 0 && isWhole(this.keys, packet.length)) return 0;
    }
    return -EAGAIN;
  }

  close(): void {
    this.#program.close();
    libc().munmap(this.#mapping);
    libc().close(this.#map);
  }

  #load(below: readonly [number, number], bytes: number): BpfProgram {
    return new BpfProgram({
      type: BPF_PROG_TYPE.SCHED_CLS,
      name: "flow_keys",
      text: text(this.#map, below, bytes),
    });
  }

  #run(program: BpfProgram, packet: Uint8Array): number {
    this.#packet.set(packet);
    this.#attr.u32(0, program.fd).u32(8, packet.length).u32(12, 0).pointer(16, this.#packet);
    const done = libc().bpf(BPF_PROG_TEST_RUN, this.#attr);
    this.hash = this.#attr.getU32(4);
    return done;
  }

  /** The places, below the program's frame, that show the keys of every packet. */
  #find(): [number, number] {
    const program = this.#load([DEEPEST, DEEPEST], SEARCHED);
    const places = ANSWERS.map(() => new Map<number, number>());
    const rounds = 8;
    for (let n = 0; n < rounds; n++) {
      const { packet, keys } = known(n);
      ok(this.#run(program, packet), "flow keys: run a program on a packet");
      for (const [i, from] of ANSWERS.entries()) {
        const seen = Buffer.from(this.#mapping.bytes.subarray(from, from + SEARCHED));
        for (let at = seen.indexOf(keys); at >= 0; at = seen.indexOf(keys, at + 1))
          places[i]!.set(at, (places[i]!.get(at) ?? 0) + 1);
      }
    }
    program.close();
    const [first, second] = places.map((p) => [...p].find(([, times]) => times === rounds)?.[0]);
    if (first === undefined || second === undefined)
      throw new LinuxError("ENODATA", "this kernel's stack does not show what its flow dissector found");
    return [DEEPEST - first, DEEPEST - second];
  }
}

const EAGAIN = 11;
const ETH_HLEN = 14;
const ADDR_TYPES = [0, 2, 3, 8];
/** IS_FRAGMENT, FIRST_FRAG, ENCAPSULATION. */
const ALL_FLAGS = 0x43;
/** What the flow hash does not ask for, and padding: zero. */
const ZERO: readonly (readonly [from: number, to: number])[] = [
  [11, 12],
  [22, 32],
  [40, 44],
  [76, 80],
];

/**
 * Are these keys? An interrupt that comes between the hash's return and the reading leaves saved registers in their
 * place, and one interrupt may disturb both places alike.
 */
function isWhole(keys: Uint8Array, length: number): boolean {
  const thoff = keys[FLOW_KEYS.thoff]! | (keys[FLOW_KEYS.thoff + 1]! << 8);
  if (thoff < ETH_HLEN || thoff > length) return false;
  const type = keys[FLOW_KEYS.addrType]! | (keys[FLOW_KEYS.addrType + 1]! << 8);
  if (!ADDR_TYPES.includes(type) || (keys[FLOW_KEYS.flags]! & ~ALL_FLAGS) !== 0) return false;
  const zero = (from: number, to: number): boolean => {
    for (let i = from; i < to; i++) if (keys[i] !== 0) return false;
    return true;
  };
  for (const [from, to] of ZERO) if (!zero(from, to)) return false;
  return (
    zero(FLOW_KEYS.flags + 1, FLOW_KEYS.nProto) && (type !== 0 || zero(FLOW_KEYS.addrs, FLOW_KEYS_BYTES))
  );
}

/** A packet, and its struct flow_keys up to the addresses' end: TCP over IPv4, in the order that the hash wants. */
function known(n: number): { packet: Uint8Array; keys: Uint8Array } {
  const packet = new Uint8Array(14 + 20 + 20);
  packet.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45]);
  packet[23] = 6;
  packet.set([198, 51, 100, 17 * n + 3, 203, 0, 113, 17 * n + 5], 26);
  packet.set([0x12, n + 1, 0x34, n + 2], 34);
  const keys = new Uint8Array(52);
  keys.set([34, 0, 2]);
  keys.set([0x08, 0x00, 6], FLOW_KEYS.nProto);
  keys.set(packet.subarray(34, 38), FLOW_KEYS.ports);
  keys.set(packet.subarray(26, 34), FLOW_KEYS.addrs);
  return { packet, keys };
}
