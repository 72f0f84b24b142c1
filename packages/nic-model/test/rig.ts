/** A device under devlink with its driver and the offload manager, images for it, and packets to send. */
import { compileNpu, IR_KIND, orThrow, TARGET, writeImage } from "@netoffload/cpr-ir";
import { rxCsum, txCsum } from "@netoffload/csum";
import {
  type Answer,
  DevlinkInstance,
  grant,
  type ImagePolicy,
  OffloadManager,
  type OffloadState,
  type ReloadReply,
  refuse,
} from "@netoffload/devlink";
import {
  CHECKSUM_PARTIAL,
  Memory,
  type SkBuff,
  type SkbFromBytesOptions,
  skbFromBytes,
} from "@netoffload/skbuff";
import {
  type Completion,
  ideal,
  NicDevice,
  type NicDeviceOptions,
  NicDriver,
  type Profile,
} from "../src/index.ts";

/** Code in place of what the compiler makes of a program. */
export type Texts = Readonly<Partial<Record<"tx_csum" | "rx_csum", Uint8Array>>>;

/** The two programs; compiled once. */
export const PROGRAMS = [txCsum, rxCsum].map(({ name, functionNumber, ir, sha256 }) => {
  const module = ir();
  return { name, functionNumber, ir: module, sha256, ...orThrow(compileNpu(module, { functionNumber })) };
});

/** An image of these programs, sealed; the hashes are those of the IR whatever the code. */
export function image(texts: Texts = {}, names: readonly string[] = ["tx_csum", "rx_csum"]): Uint8Array {
  return writeImage({
    programs: PROGRAMS.filter(({ name }) => names.includes(name)).map((p) => ({
      name: p.name,
      functionNumber: p.functionNumber,
      ir: p.ir,
      target: TARGET.npu,
      irKind: IR_KIND.wasm,
      text: texts[p.name as keyof Texts] ?? p.text,
      resources: p.resources,
    })),
  });
}

/** How a rig is made. */
export interface RigOptions extends NicDeviceOptions {
  readonly profile?: Profile;
  /** Null: nothing is loaded. */
  readonly image?: Uint8Array | null;
  readonly policy?: ImagePolicy;
}

/** One frame that left the driver, with what the device said of it. */
export interface Sent {
  readonly frame: Uint8Array;
  readonly completion: Completion;
}

/** Everything a packet meets. */
export class Rig {
  readonly memory: Memory = Memory.create({ bytes: 8 << 20 });
  readonly device: NicDevice;
  readonly driver: NicDriver;
  readonly instance: DevlinkInstance;
  readonly manager: OffloadManager;

  private constructor(options: RigOptions) {
    this.device = new NicDevice(options.profile ?? ideal, this.memory, {
      poison: true,
      memoryBytes: 4 << 20,
      ...options,
    });
    this.driver = new NicDriver(this.device, this.memory);
    this.instance = new DevlinkInstance("sim/nic0", this.driver);
    this.manager = new OffloadManager(this.driver);
    for (const { name, sha256 } of PROGRAMS)
      this.manager.setKernelProgram(name as "tx_csum", { sha256, abi: 1 });
  }

  /** Make one and, unless told otherwise, load the good image. */
  static async make(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    if (options.image !== null && rig.device.npu !== null) {
      const answer = await rig.reload(options.image ?? image(), options.policy);
      if (!answer.ok) throw new Error(answer.extack);
    }
    for (const { name } of PROGRAMS) rig.manager.enable(name as "tx_csum");
    return rig;
  }

  /** `devlink dev reload sim/nic0 action parser_fetch FILE`, the file being these bytes. */
  reload(bytes: Uint8Array, policy: ImagePolicy = {}): Promise<Answer<ReloadReply>> {
    return this.instance.reload(
      { action: "parser_fetch", file: "x.img" },
      {
        firmware: {
          read: (path) =>
            path === "/lib/firmware/x.img" ? grant({ bytes, realPath: path }) : refuse("ENOENT"),
        },
        firmwareConfig: {},
        policy,
        suspendOffloads: () => this.manager.suspend(),
        reevaluateOffloads: () => this.manager.reevaluate(),
      },
    );
  }

  /** States of both offloads. */
  get states(): Record<"tx_csum" | "rx_csum", OffloadState> {
    return { tx_csum: this.manager.state("tx_csum"), rx_csum: this.manager.state("rx_csum") };
  }

  /** An skb that asks for a checksum from `start` on, at `start + offset`. */
  partial(frame: Uint8Array, start: number, offset: number, layout: SkbFromBytesOptions = {}): SkBuff {
    const skb = skbFromBytes(this.memory, frame, layout)!;
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = skb.headroom + start;
    skb.csumOffset = offset;
    return skb;
  }

  /** Hand skbs to the driver and let the device send. @returns what left, by the skb's index */
  send(skbs: readonly SkBuff[]): (Sent | undefined)[] {
    const sent: (Sent | undefined)[] = skbs.map(() => undefined);
    for (const [i, skb] of skbs.entries()) this.driver.xmit(skb.address, i);
    this.driver.flush((frame, completion) => {
      sent[completion.cookie] = { frame: frame.slice(), completion: { ...completion } };
    });
    return sent;
  }

  /** Let one Ethernet frame arrive. @returns the skb that the driver filled, and how */
  arrive(frame: Uint8Array): { skb: SkBuff; outcome: string; completion: Completion } {
    const skb = skbFromBytes(this.memory, frame)!;
    skb.skbPull(Math.min(14, frame.length));
    let outcome = "";
    let copy: Completion | undefined;
    this.device.receive([frame], 1, 14, (_i, completion) => {
      copy = { ...completion };
      outcome = this.driver.completeRx(skb.address, completion);
    });
    return { skb, outcome, completion: copy! };
  }
}

/** A frame of so many bytes, all different in their order; TCP over IPv4 by its numbers. */
export function frame(length: number, salt = 0): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => Math.imul(i + salt + 1, 0x9e3779b1) >>> 24);
  const header = [0x08, 0x00, 0x45, 0, (length - 14) >> 8, (length - 14) & 255, 0, 1, 0x40, 0, 64, 6, 0, 0];
  bytes.set(header.slice(0, Math.max(0, length - 12)), 12);
  return bytes;
}
