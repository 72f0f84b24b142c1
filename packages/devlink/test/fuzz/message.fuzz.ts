/**
 * Damaged netlink requests and firmware for NETOFFLOAD_FUZZ_SECONDS (default 60): nothing throws, a decoded request
 * is the same when it is sent again, and no refused reload changes a device.
 * Run: npx tsx --conditions=@netoffload/source packages/devlink/test/fuzz/message.fuzz.ts
 * NETOFFLOAD_SEED repeats a run.
 */
import { isDeepStrictEqual } from "node:util";
import { seal, writeImage } from "@netoffload/cpr-ir";
import {
  AttrWriter,
  checkReload,
  DEVLINK_ATTR,
  DEVLINK_CMD,
  DevlinkInstance,
  decodeRequest,
  ERRNO,
  encodeReloadRequest,
  readAttrs,
  renderRefusal,
} from "../../src/index.ts";
import { context, program, TwoSlotDriver } from "../device.ts";

const seconds = Number(process.env.NETOFFLOAD_FUZZ_SECONDS ?? 60);
const seed = Number(process.env.NETOFFLOAD_SEED ?? Date.now() & 0x7fffffff);
let state = seed | 1;
function random(bound: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % bound;
}
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
const noise = (n: number): Uint8Array => Uint8Array.from({ length: n }, () => random(256));

function fail(what: string): never {
  throw new Error(what);
}

const TYPES = Object.values(DEVLINK_ATTR);
const NAMES = ["sim", "nic0", "", "a/b", "../x", "ü", "constructor", "x".repeat(300)];

function attributes(writer: AttrWriter, depth: number): void {
  for (let n = random(6); n > 0; n--) {
    const type = random(20) === 0 ? random(0x4000) : pick(TYPES);
    switch (random(6)) {
      case 0:
        writer.string(type, pick(NAMES));
        break;
      case 1:
        writer.u8(type, random(6));
        break;
      case 2:
        writer.u32(type, random(8));
        break;
      case 3:
        writer.bitfield32(type, random(9), random(9));
        break;
      case 4:
        writer.put(type, noise(random(12)));
        break;
      default:
        if (depth < 4) writer.nest(type, (inner) => attributes(inner, depth + 1));
    }
  }
}

function request(): Uint8Array {
  const writer = new AttrWriter();
  if (random(4) > 0) writer.string(DEVLINK_ATTR.BUS_NAME, "sim").string(DEVLINK_ATTR.DEV_NAME, "nic0");
  attributes(writer, 0);
  const command = random(3) > 0 ? pick(Object.values(DEVLINK_CMD)) : random(256);
  return Uint8Array.from([command, 1, 0, 0, ...writer.bytes()]);
}

function damage(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  for (let n = random(5); n > 0 && out.length > 0; n--) {
    const at = random(out.length);
    if (random(2) === 0) out[at]! ^= 1 << random(8);
    else out[at] = pick([0, 1, 3, 4, 0x7f, 0x80, 0xff, random(256)]);
  }
  return random(3) === 0 ? out.slice(0, random(out.length + 1)) : out;
}

/** Every attribute, nests opened whether marked or not, lies inside its run. */
function walk(run: Uint8Array, depth: number): void {
  const attrs = readAttrs(run);
  if (!attrs.ok) {
    if (attrs.fault.offset < 0 || attrs.fault.offset >= run.length) fail("a fault outside the message");
    return;
  }
  let sum = 0;
  for (const { payload } of attrs.value) {
    sum += 4 + payload.length;
    if (depth < 8 && payload.length >= 4) walk(payload, depth + 1);
  }
  if (sum > run.length) fail("attributes longer than their message");
}

const checks = new TwoSlotDriver();

function message(bytes: Uint8Array): void {
  walk(bytes.subarray(4), 0);
  const answer = decodeRequest(bytes);
  if (!answer.ok) {
    if (!(answer.errno in ERRNO)) fail(`errno ${answer.errno}`);
    if (!renderRefusal(answer).endsWith("\n")) fail("a refusal that does not print");
    return;
  }
  if (answer.value.command !== "reload") return;
  const { handle, reload } = answer.value;
  checkReload(reload, checks);
  // namespaces have their own attributes, the limit that does not exist has no name to be sent by
  if (reload.netns !== undefined || reload.limits?.includes("unspecified")) return;
  if (handle.split("/").length !== 2) return;
  const again = decodeRequest(encodeReloadRequest(handle, reload));
  if (!isDeepStrictEqual(again, answer)) fail(`${JSON.stringify(again)} after ${JSON.stringify(answer)}`);
}

const image = writeImage({ programs: [program("tx_csum"), program("rx_csum")] });
const driver = new TwoSlotDriver();
const instance = new DevlinkInstance("sim/nic0", driver);
if (!(await instance.reload({ action: "parser_fetch", file: "f" }, context({ f: image }))).ok)
  fail("the good image is refused");
const hashes = instance.bundle!.programs.map(({ sha256 }) => sha256);

/** A damaged image, half of them with length and digest made right again, through a whole reload. */
async function firmware(): Promise<Uint8Array> {
  const bytes = damage(image);
  if (random(2) === 0) {
    try {
      seal(bytes);
    } catch {
      // too damaged to find the note
    }
  }
  const before = { bundle: instance.bundle, active: driver.active, generation: instance.generation };
  const answer = await instance.reload({ action: "parser_fetch", file: "f" }, context({ f: bytes }));
  if (answer.ok) {
    // only programs whose IR is still the one its hash names
    const now = instance.bundle!.programs.map(({ sha256 }) => sha256);
    if (!now.every((sha256) => hashes.includes(sha256))) fail(`accepted ${now}`);
  } else if (
    instance.bundle !== before.bundle ||
    driver.active !== before.active ||
    instance.generation !== before.generation ||
    answer.extack.startsWith("driver failed")
  )
    fail(`a refused image changed the device: ${answer.extack}`);
  return bytes;
}

const end = Date.now() + seconds * 1000;
let messages = 0;
let images = 0;
console.log(`devlink: seed ${seed}, ${seconds} s`);
while (Date.now() < end) {
  for (let i = 0; i < 2000; i++) {
    const bytes = random(50) === 0 ? noise(random(100)) : damage(request());
    try {
      message(bytes);
    } catch (error) {
      console.error(`message ${messages}: ${Buffer.from(bytes).toString("hex")}`);
      console.error(error);
      process.exit(1);
    }
    messages++;
  }
  for (let i = 0; i < 20; i++, images++) await firmware();
}
console.log(`devlink: ${messages} messages, ${images} images, no fault`);
