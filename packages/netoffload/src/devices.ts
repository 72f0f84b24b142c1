/** A device of the state directory as a living object: its profile, the image it runs, its driver and instance. */
import { release } from "node:os";
import { hashParser, Interpreter } from "@netoffload/cpr-ir";
import {
  type Bundle,
  checkImage,
  DevlinkInstance,
  OffloadManager,
  type OffloadState,
  type ReloadContext,
} from "@netoffload/devlink";
import { NicDevice, NicDriver, type Profile, profileNetdev } from "@netoffload/nic-model";
import { Memory, NETIF_F, NETIF_F_CSUM_MASK, type NetdevFeatures } from "@netoffload/skbuff";
import { diskFirmware } from "./firmware-disk.ts";
import { kernelParser } from "./parsers.ts";
import { shippedPrograms } from "./programs.ts";
import type { OffloadName } from "./report.ts";
import type { DeviceRecord } from "./state.ts";

const HOST_MEMORY = 4 << 20;
const DEVICE_MEMORY = 4 << 20;

/** A device taken up where its record left it. */
export interface OpenDevice {
  readonly driver: NicDriver;
  readonly instance: DevlinkInstance;
  readonly manager: OffloadManager;
  /** Why the image it ran can no longer be run; null when all is well. */
  readonly lost: string | null;
}

/** Feature sets of a record's device, with what its user asked for. */
export function recordFeatures(record: DeviceRecord, profile: Profile): NetdevFeatures {
  const sets = profileNetdev(profile);
  if (record.wanted === undefined) return sets;
  sets.wantedFeatures = BigInt(`0x${record.wanted}`) & sets.hwFeatures;
  sets.update();
  return sets;
}

/** Offloads that the user has turned off by their features. */
export function switchedOff({ features }: Pick<NetdevFeatures, "features">): OffloadName[] {
  const off: OffloadName[] = [];
  if ((features & NETIF_F_CSUM_MASK) === 0n) off.push("tx_csum");
  if ((features & NETIF_F.RXCSUM) === 0n) off.push("rx_csum");
  return off;
}

/** Make the device of a record; it runs the image again, with the generation it had. */
export function openDevice(record: DeviceRecord, profile: Profile, image: Uint8Array | null): OpenDevice {
  const memory = Memory.create({ bytes: HOST_MEMORY });
  const before = Math.max(0, record.generation - (record.image === null ? 0 : 1));
  const device = new NicDevice(profile, memory, { memoryBytes: DEVICE_MEMORY, generation: before });
  const driver = new NicDriver(device, memory);
  const { bundle, lost } = restore(driver, record, image);
  const instance = new DevlinkInstance(`sim/${record.name}`, driver, {
    reloadFailed: record.reloadFailed,
    stats: record.stats,
    bundle,
    generation: record.generation,
  });
  const manager = new OffloadManager(driver);
  for (const p of shippedPrograms()) {
    manager.setKernelProgram(p.name as OffloadName, { sha256: p.sha256, abi: 1 });
    manager.enable(p.name as OffloadName);
  }
  const parser = kernelParser(record.kernelParser);
  driver.parser.kernel = new Interpreter(parser);
  manager.setKernelProgram("parser", { sha256: hashParser(parser).sha256, abi: 1 });
  manager.enable("parser");
  for (const offload of switchedOff(recordFeatures(record, profile))) manager.setAdmin(offload, false);
  return { driver, instance, manager, lost };
}

function restore(
  driver: NicDriver,
  record: DeviceRecord,
  image: Uint8Array | null,
): { bundle: Bundle | null; lost: string | null } {
  if (record.image === null) return { bundle: null, lost: null };
  if (image === null) return { bundle: null, lost: "its image is missing or damaged in the state directory" };
  // it was checked when it was fetched, and its name is the hash of its bytes
  const checked = checkImage(image, record.imageFile ?? "", driver, { checkCode: false });
  if (!checked.ok) return { bundle: null, lost: checked.extack };
  const loaded = driver.parserLoad(checked.value);
  if (!loaded.ok) return { bundle: null, lost: loaded.extack };
  driver.parserActivate();
  driver.parserCommit();
  return { bundle: checked.value, lost: null };
}

/** The record of a device after a command. @param image - name of what it now runs, null: nothing */
export function recordOf(record: DeviceRecord, opened: OpenDevice, image: string | null): DeviceRecord {
  const { instance } = opened;
  return {
    ...record,
    image,
    imageFile: instance.bundle?.file ?? null,
    generation: instance.generation,
    reloadFailed: instance.reloadFailed,
    stats: Object.fromEntries(instance.stats().map(({ action, limits }) => [action, limits])),
  };
}

/** Surroundings of a reload on this machine. */
export function reloadContext(
  opened: OpenDevice,
  firmwareRoot: string | undefined,
  onStatus?: ReloadContext["onStatus"],
): ReloadContext {
  return {
    firmware: diskFirmware,
    firmwareConfig: { ...(firmwareRoot === undefined ? {} : { root: firmwareRoot }), release: release() },
    policy: {},
    ...(onStatus === undefined ? {} : { onStatus }),
    suspendOffloads: () => opened.manager.suspend(),
    reevaluateOffloads: () => opened.manager.reevaluate(),
  };
}

/** State, kernel's and device's hash of each offload. */
export function offloadsOf(
  opened: OpenDevice,
): { name: string; state: OffloadState; kernel: string; device: string | null }[] {
  const kernel = opened.driver.parser.kernel;
  const programs: { name: string; sha256: string }[] = [
    ...shippedPrograms(),
    ...(kernel === null ? [] : [{ name: "parser", sha256: hashParser(kernel.parser).sha256 }]),
  ];
  return programs.map((p) => ({
    name: p.name,
    state: opened.manager.state(p.name as OffloadName | "parser"),
    kernel: p.sha256,
    device: opened.driver.device.programs.find((d) => d.name === p.name)?.sha256 ?? null,
  }));
}
