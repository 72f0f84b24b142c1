/**
 * The device: rings on one side, the wire on the other. A programmable one builds, in its own memory, an skb whose
 * fields come from the descriptor and whose bytes came by DMA, and runs its program on it; a fixed-function one
 * does what its profile says. Results leave by completions only.
 */

import { decodeModule, initialData, PARSER_FUNCTION, TARGET } from "@netoffload/cpr-ir";
import type { Bundle, BundleProgram } from "@netoffload/devlink";
import { type Memory, TRAP } from "@netoffload/skbuff";
import {
  COMPLETION,
  type Completion,
  CSUM_MODE,
  decodeTx,
  newCompletion,
  newTxDescriptor,
  PARSED,
  TX_DESCRIPTOR_SIZE,
  type TxDescriptor,
} from "./descriptor.ts";
import { DeviceMemory } from "./device-memory.ts";
import { insertFixed } from "./fixed-function.ts";
import { newParsed, type Parsed } from "./fixed-parse.ts";
import { reportFixed } from "./fixed-report.ts";
import { Npu } from "./npu.ts";
import { ParserEngine } from "./parser-engine.ts";
import type { Profile } from "./profiles/profile.ts";
import { Ring } from "./ring.ts";

/** Static regions of the two checksum functions (ABI 1). */
const TX_CSUM = 1;
const RX_CSUM = 2;
const CHECKSUM_COMPLETE = 2;

/** How a device is made. */
export interface NicDeviceOptions {
  /** Fill what no descriptor says with 0xa5, so that a program that reads it shows. */
  readonly poison?: boolean;
  /** Bytes of device memory; default 16 MiB. */
  readonly memoryBytes?: number;
  /** Entries of the transmit ring, a power of two; default 512. */
  readonly ringEntries?: number;
  /** Use scalar acceleration units. */
  readonly scalar?: boolean;
  /** Bundles that were activated before this object was made: the next has one more; default 0. */
  readonly generation?: number;
  /** A unit that answers wrongly, by name: what the known-answer test is for. */
  readonly brokenUnit?: string;
}

/** In place of a trap code: the program was not run. */
const REFUSED = -1;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * Called for each frame that leaves; the bytes are the device's and change with the next batch. There are none
 * unless the completion's status is ok.
 */
export type WireSink = (frame: Uint8Array, completion: Completion) => void;

/** Programs of one bundle slot. */
interface Slot {
  programs: readonly BundleProgram[];
  generation: number;
}

/** A device with a profile. */
export class NicDevice {
  readonly profile: Profile;
  readonly txRing: Ring;
  /** Null on a fixed-function device. */
  readonly npu: Npu | null;
  /** Null where there is none, as on a fixed-function device. */
  readonly parser: ParserEngine | null;
  readonly brokenUnit: string | null;
  readonly #host: Memory;
  readonly #memory: DeviceMemory | null;
  readonly #slots: [Slot, Slot] = [
    { programs: [], generation: 0 },
    { programs: [], generation: 0 },
  ];
  #active: 0 | 1 = 0;
  #generation: number;
  readonly #enabled: Map<number, number> = new Map();
  readonly #descriptor = newTxDescriptor();
  readonly #completion: Completion = newCompletion();
  readonly #parsed: Parsed = newParsed();
  readonly #addresses: Uint32Array = new Uint32Array(Npu.maxBatch);
  readonly #skbs: Uint32Array = new Uint32Array(Npu.maxBatch);
  readonly #modes: Uint8Array = new Uint8Array(Npu.maxBatch);
  readonly #returns: Int32Array = new Int32Array(Npu.maxBatch);
  readonly #traps: Int32Array = new Int32Array(Npu.maxBatch);
  readonly #askedIndex: Uint32Array = new Uint32Array(Npu.maxBatch);
  readonly #lengths: Uint32Array = new Uint32Array(Npu.maxBatch);
  readonly #cookies: Uint32Array = new Uint32Array(Npu.maxBatch);

  /** @param host - the memory the driver's buffers lie in: what the device can reach by DMA */
  constructor(profile: Profile, host: Memory, options: NicDeviceOptions = {}) {
    this.profile = profile;
    this.#host = host;
    this.#generation = options.generation ?? 0;
    this.brokenUnit = options.brokenUnit ?? null;
    this.txRing = new Ring(options.ringEntries ?? 512, TX_DESCRIPTOR_SIZE);
    this.parser =
      profile.program === null || profile.parser === null ? null : new ParserEngine(profile.parser);
    if (profile.program === null) {
      this.npu = null;
      this.#memory = null;
    } else {
      this.npu = Npu.create({
        budget: profile.program.instructionsPerPacket,
        ...(options.memoryBytes === undefined ? {} : { memoryBytes: options.memoryBytes }),
        ...(options.scalar === undefined ? {} : { scalar: options.scalar }),
      });
      this.#memory = new DeviceMemory(this.npu, options.poison === true);
    }
  }

  /** Generation of the active bundle; 0: none was ever loaded. */
  get generation(): number {
    return this.#slots[this.#active].generation;
  }

  /** Programs of the active bundle. */
  get programs(): readonly BundleProgram[] {
    return this.#slots[this.#active].programs;
  }

  /** The active bundle slot. */
  get activeSlot(): 0 | 1 {
    return this.#active;
  }

  /** Load a bundle into the staging slot. @returns null, or why a program was refused; the active slot stays as it is */
  stage(bundle: Bundle): string | null {
    const npu = this.npu;
    if (npu === null) return "device is not programmable";
    const staging = this.#active === 0 ? 1 : 0;
    npu.clear(staging);
    this.parser?.clear(staging);
    // counted here: what an image says of itself is not what it holds
    const code = bundle.programs.filter((p) => p.target !== TARGET.tcam);
    const slots = code.reduce((sum, p) => sum + p.text.length / 8, 0);
    const room = this.profile.program!.instructions;
    if (slots > room) return `${slots} instructions, device has room for ${room}`;
    for (const p of bundle.programs) {
      const refused = this.#load(npu, staging, p);
      if (refused === null) continue;
      npu.clear(staging);
      this.parser?.clear(staging);
      return `${p.name}: ${refused}`;
    }
    this.#slots[staging] = { programs: bundle.programs, generation: 0 };
    return null;
  }

  /** One program to the engine that runs it. @returns null, or why it is refused */
  #load(npu: Npu, staging: 0 | 1, p: BundleProgram): string | null {
    if (p.target === TARGET.tcam)
      return this.parser === null ? "device has no parser engine" : this.parser.load(staging, p.text);
    const loaded = npu.load(staging, p.functionNumber, p.text);
    return loaded.ok ? null : loaded.message;
  }

  /** Throw the staging slot away. */
  discard(): void {
    const staging = this.#active === 0 ? 1 : 0;
    this.npu?.clear(staging);
    this.parser?.clear(staging);
    this.#slots[staging] = { programs: [], generation: 0 };
  }

  /** Flip the slots at a packet boundary; every function is off until it is enabled again. @returns the generation */
  activate(): number {
    this.#enabled.clear();
    this.#active = this.#active === 0 ? 1 : 0;
    const slot = this.#slots[this.#active];
    slot.generation = ++this.#generation;
    for (const p of slot.programs) this.#initialise(p);
    return slot.generation;
  }

  /** Flip back. */
  rollback(): void {
    this.#enabled.clear();
    this.#active = this.#active === 0 ? 1 : 0;
    for (const p of this.programs) this.#initialise(p);
  }

  /** Data segments and globals of a program, out of its embedded IR. */
  #initialise(p: BundleProgram): void {
    if (p.target === TARGET.tcam) return;
    const decoded = decodeModule(p.ir);
    if (!decoded.ok || this.npu === null) return;
    for (const d of initialData(decoded.value, p.functionNumber)) this.npu.bytes.set(d.bytes, d.address);
  }

  /** Turn a function on or off. */
  enable(functionNumber: number, on: boolean): void {
    if (on) this.#enabled.set(functionNumber, this.generation);
    else this.#enabled.delete(functionNumber);
  }

  /** Is the function on, with the active bundle? */
  isEnabled(functionNumber: number): boolean {
    return this.#enabled.get(functionNumber) === this.generation && this.generation > 0;
  }

  /** Send everything that waits in the transmit ring. @returns packets that were taken from the ring */
  transmit(wire: WireSink): number {
    return this.profile.program === null ? this.#transmitFixed(wire) : this.#transmitPrograms(wire);
  }

  #transmitFixed(wire: WireSink): number {
    const d = this.#descriptor;
    let n = 0;
    for (let at = this.txRing.consume(); at >= 0; at = this.txRing.consume()) {
      const sound = decodeTx(this.txRing.view, at, d) && this.#reachable(d);
      this.txRing.release();
      n++;
      const c = this.#complete(d.cookie, 0, d.length);
      const frame = sound ? this.#collect(d) : NO_BYTES;
      if (!sound || (d.csumMode !== CSUM_MODE.none && !insertFixed(frame, d, this.profile)))
        c.status = COMPLETION.refused;
      wire(c.status === COMPLETION.ok ? frame : NO_BYTES, c);
    }
    return n;
  }

  /** A packet's buffers as one piece. */
  #collect(d: TxDescriptor): Uint8Array {
    const frame = new Uint8Array(d.length);
    for (let i = 0, to = 0; i < d.buffers; to += d.size[i++]!)
      frame.set(this.#host.bytes.subarray(d.address[i]!, d.address[i]! + d.size[i]!), to);
    return frame;
  }

  #transmitPrograms(wire: WireSink): number {
    let total = 0;
    while (this.txRing.pending > 0) {
      const n = this.#fetch();
      if (n === 0) break;
      const asked = this.#asked(n);
      this.#run(TX_CSUM, asked, (i, ret, trap) => {
        this.#returns[this.#askedIndex[i]!] = ret;
        this.#traps[this.#askedIndex[i]!] = trap;
      });
      for (let i = 0; i < n; i++) wire(this.#egress(i), this.#completion);
      total += n;
    }
    return total;
  }

  /** Line up the packets that ask for the program; the others pass as they are. */
  #asked(n: number): number {
    let asked = 0;
    for (let i = 0; i < n; i++) {
      this.#returns[i] = 0;
      this.#traps[i] = 0;
      if (this.#skbs[i] === 0) this.#traps[i] = REFUSED;
      const asks = this.#modes[i] === CSUM_MODE.generic || this.#modes[i] === CSUM_MODE.crc32c;
      if (!asks || this.#skbs[i] === 0) continue;
      this.#addresses[asked] = this.#skbs[i]!;
      this.#askedIndex[asked++] = i;
    }
    return asked;
  }

  /** DMA as many packets as fit into device memory and build their skbs. @returns packets taken from the ring */
  #fetch(): number {
    const memory = this.#memory!;
    const d = this.#descriptor;
    memory.reset();
    let n = 0;
    for (let at = this.txRing.consume(); at >= 0 && n < Npu.maxBatch; at = this.txRing.consume()) {
      const sound = decodeTx(this.txRing.view, at, d) && this.#reachable(d);
      const fits = sound && memory.fits(d.length);
      if (sound && !fits && n > 0) break;
      this.txRing.release();
      // a descriptor that cannot be followed, or a packet larger than the memory, is given back, never lost
      this.#skbs[n] = fits ? this.#dma(memory, d) : 0;
      this.#modes[n] = d.csumMode;
      this.#lengths[n] = d.length;
      this.#cookies[n] = d.cookie;
      n++;
    }
    return n;
  }

  /** Do a descriptor's buffers lie in the host's memory? */
  #reachable(d: TxDescriptor): boolean {
    for (let i = 0; i < d.buffers; i++)
      if (d.address[i]! + d.size[i]! > this.#host.bytes.length) return false;
    return true;
  }

  /** Copy a packet's buffers into device memory. @returns the skb built around them */
  #dma(memory: DeviceMemory, d: TxDescriptor): number {
    const { bytes } = this.#host;
    const linear = d.size[0]!;
    const from = d.address[0]!;
    const head = memory.take(linear + 240, from & 15);
    memory.npu.bytes.set(bytes.subarray(from, from + linear), head);
    const skb = memory.skb(head, linear, head, linear);
    for (let i = 1; i < d.buffers; i++) {
      const to = memory.take(d.size[i]!, d.address[i]! & 15);
      memory.npu.bytes.set(bytes.subarray(d.address[i]!, d.address[i]! + d.size[i]!), to);
      memory.frag(skb, to, d.size[i]!);
    }
    if (d.csumMode === CSUM_MODE.generic || d.csumMode === CSUM_MODE.crc32c)
      memory.partial(skb, d.csumStart, d.csumOffset, d.csumMode === CSUM_MODE.crc32c);
    return skb;
  }

  #run(fn: number, n: number, each: (i: number, ret: number, trap: number) => void): void {
    const npu = this.npu!;
    if (!this.isEnabled(fn) || !npu.has(this.#active, fn)) {
      for (let i = 0; i < n; i++) each(i, 0, REFUSED);
      return;
    }
    const results = npu.runBatch(this.#active, fn, this.#addresses, n);
    for (let i = 0; i < n; i++) each(i, results[3 * i]!, results[3 * i + 1]!);
  }

  /** Fill the completion of packet `i` of the batch. @returns its bytes: in place when linear */
  #egress(i: number): Uint8Array {
    const c = this.#complete(this.#cookies[i]!, this.generation, this.#lengths[i]!);
    this.#outcome(c, this.#returns[i]!, this.#traps[i]!);
    if (c.status !== COMPLETION.ok) return NO_BYTES;
    const frame = this.#memory!.packet(this.#skbs[i]!, this.#lengths[i]!);
    if (frame !== null) return frame;
    // a program that left an skb that points elsewhere: the same as an access there
    c.status = COMPLETION.trap;
    c.code = TRAP.OUT_OF_BOUNDS;
    return NO_BYTES;
  }

  /** The parser sees a frame as it comes from the wire, whatever becomes of it behind. */
  #parse(frame: Uint8Array, l2Length: number, c: Completion): void {
    if (this.isEnabled(PARSER_FUNCTION)) this.parser?.parse(this.#active, frame, l2Length, c);
  }

  #complete(cookie: number, generation: number, length: number): Completion {
    const c = this.#completion;
    c.status = COMPLETION.ok;
    c.code = 0;
    c.ipSummed = 0;
    c.csumLevel = 0;
    c.verified = 0;
    c.csum = 0;
    c.generation = generation;
    c.length = length;
    c.cookie = cookie;
    c.parsed = PARSED.no;
    return c;
  }

  #outcome(c: Completion, ret: number, trap: number): void {
    if (trap < 0) c.status = COMPLETION.refused;
    else if (trap > 0) {
      c.status = COMPLETION.trap;
      c.code = trap;
    } else if (ret < 0) {
      c.status = COMPLETION.errno;
      c.code = ret;
    }
  }

  /**
   * Let frames arrive from the wire.
   * @param frames - `n` frames, their link-layer headers `l2Length` bytes long
   * @param deliver - called for each in order; the completion is one object, filled again
   */
  receive(
    frames: readonly Uint8Array[],
    n: number,
    l2Length: number,
    deliver: (i: number, completion: Completion) => void,
  ): void {
    if (this.profile.program === null) {
      for (let i = 0; i < n; i++) {
        const frame = frames[i]!;
        const c = this.#complete(i, 0, frame.length);
        reportFixed(frame, l2Length, this.profile, this.#parsed, c);
        deliver(i, c);
      }
      return;
    }
    const memory = this.#memory!;
    for (let from = 0; from < n; ) {
      memory.reset();
      let count = 0;
      for (; from + count < n && count < Npu.maxBatch; count++) {
        const frame = frames[from + count]!;
        if (!memory.fits(frame.length)) break;
        const head = memory.take(frame.length + 240, frame.byteOffset & 15);
        memory.npu.bytes.set(frame, head);
        const l2 = Math.min(l2Length, frame.length);
        this.#addresses[count] = memory.skb(head, frame.length, head + l2, frame.length - l2);
        this.#lengths[count] = frame.length;
      }
      if (count === 0) {
        // a frame larger than the device's memory cannot be received at all
        const c = this.#complete(from, this.generation, frames[from]!.length);
        c.status = COMPLETION.refused;
        this.#parse(frames[from]!, l2Length, c);
        deliver(from++, c);
        continue;
      }
      const first = from;
      this.#run(RX_CSUM, count, (i, ret, trap) => {
        const c = this.#complete(first + i, this.generation, this.#lengths[i]!);
        this.#outcome(c, ret, trap);
        if (c.status === COMPLETION.ok && memory.ipSummedOf(this.#addresses[i]!) === CHECKSUM_COMPLETE) {
          c.ipSummed = CHECKSUM_COMPLETE;
          c.csum = memory.csumOf(this.#addresses[i]!);
        }
        this.#parse(frames[first + i]!, l2Length, c);
        deliver(first + i, c);
      });
      from += count;
    }
  }
}
