/**
 * The nine steps of the paper as one object: sources became IR and hashes when the packages were built (1, 2);
 * an image is made (3) and placed under a firmware root (4); `devlink dev reload action parser_fetch` brings it
 * into the device (5, 6); tables and rules come with their own offloads (7, 8); the offload manager asks, compares
 * and enables (9).
 */
import type { HostPrograms } from "@netoffload/csum";
import {
  type Answer,
  DevlinkInstance,
  type FirmwareSource,
  grant,
  type KernelProgram,
  OffloadManager,
  type OffloadState,
  type ReloadReply,
  refuse,
} from "@netoffload/devlink";
import { NicDevice, type NicDeviceOptions, NicDriver, type Profile } from "@netoffload/nic-model";
import { Memory } from "@netoffload/skbuff";
import { bundleImage } from "../image.ts";
import { needsBpf } from "../live/facility.ts";
import { KernelSide } from "../live/kernel-side.ts";
import type { Program } from "../programs.ts";
import type { OffloadName } from "../report.ts";
import { kernelPrograms } from "./host.ts";

/** How a pipeline is made. */
export interface PipelineOptions {
  readonly profile: Profile;
  /** The kernel's programs, by offload; what is absent stays in software. */
  readonly programs: readonly Program[];
  /** The image to load; default: made from `programs`. Null: nothing is loaded. */
  readonly image?: Uint8Array | null;
  /** Offloads that the administrator has turned off. */
  readonly off?: readonly OffloadName[];
  /** Link plain loops instead of acceleration units. */
  readonly noAccel?: boolean;
  /** The kernel's side in place of its programs on this CPU. */
  readonly host?: (memory: Memory) => HostPrograms;
  /** Handle of the device, default `sim/nic0`. */
  readonly handle?: string;
  readonly device?: NicDeviceOptions;
  /** Bytes of host memory; default 64 MiB. */
  readonly memoryBytes?: number;
  /** Who runs the kernel's programs: this process (default), or the live kernel. */
  readonly kernel?: "wasm" | "ebpf";
}

/** A device under devlink with its driver, the kernel's side, and the state of each offload. */
export interface Pipeline {
  readonly memory: Memory;
  readonly device: NicDevice;
  readonly driver: NicDriver;
  readonly instance: DevlinkInstance;
  readonly manager: OffloadManager;
  readonly kernel: readonly Program[];
  /** The kernel's programs as they are run for comparison. */
  readonly kernelSide: HostPrograms;
  /** The answer of the reload that loaded the image; null when nothing was to be loaded. */
  readonly reloaded: Answer<ReloadReply> | null;
  /** Give back what the live kernel holds, if it runs the programs. */
  close(): void;
  /** State of an offload, decided after every reload. */
  state(offload: OffloadName): OffloadState;
  /** Hash of the kernel's program; null when it has none. */
  kernelHash(offload: OffloadName): string | null;
  /** Hash of the program the device holds; null when it has none. */
  deviceHash(offload: OffloadName): string | null;
}

/** Name under which a pipeline's image lies under the firmware root. */
export const IMAGE_NAME = "netoffload/bundle.img";

/** A firmware root that holds one file. */
export function memoryFirmware(name: string, bytes: Uint8Array): FirmwareSource {
  return {
    read: (path, limit) =>
      path !== `/lib/firmware/${name}`
        ? refuse("ENOENT")
        : bytes.length > limit
          ? refuse("EFBIG")
          : grant({ bytes, realPath: path }),
  };
}

/** Go through the nine steps. Never throws over an image or a device: the states say what came of it. */
export async function makePipeline(options: PipelineOptions): Promise<Pipeline> {
  const { profile, programs } = options;
  const memory = Memory.create(options.memoryBytes === undefined ? {} : { bytes: options.memoryBytes });
  const device = new NicDevice(profile, memory, options.device);
  const host = options.host?.(memory) ?? kernelPrograms(memory, programs, options.noAccel === true);
  const driver = new NicDriver(device, memory, 14, host);
  const instance = new DevlinkInstance(options.handle ?? "sim/nic0", driver);
  const manager = new OffloadManager(driver);
  for (const p of programs) manager.setKernelProgram(p.name as OffloadName, kernelProgram(p));
  const image =
    options.image === undefined
      ? profile.program === null
        ? null
        : bundleImage(
            programs.map((program) => ({ program, target: "npu" })),
            options.noAccel === true ? "loops" : "units",
          )
      : options.image;
  const reloaded =
    image === null
      ? null
      : await instance.reload(
          { action: "parser_fetch", file: IMAGE_NAME },
          {
            firmware: memoryFirmware(IMAGE_NAME, image),
            firmwareConfig: {},
            policy: {},
            suspendOffloads: () => manager.suspend(),
            reevaluateOffloads: () => manager.reevaluate(),
          },
        );
  for (const p of programs) manager.enable(p.name as OffloadName);
  for (const offload of options.off ?? []) manager.setAdmin(offload, false);
  const kernelSide =
    options.kernel === "ebpf" ? needsBpf(() => new KernelSide(memory, programs)) : driver.host;
  return {
    memory,
    device,
    driver,
    instance,
    manager,
    kernel: programs,
    kernelSide,
    close: () => {
      if (kernelSide instanceof KernelSide) kernelSide.close();
    },
    reloaded,
    state: (offload) => manager.state(offload),
    kernelHash: (offload) => programs.find((p) => p.name === offload)?.sha256 ?? null,
    deviceHash: (offload) => device.programs.find((p) => p.name === offload)?.sha256 ?? null,
  };
}

/** ABI of the programs of this build. */
const ABI = 1;

function kernelProgram(program: Program): KernelProgram {
  return { sha256: program.sha256, abi: ABI };
}
