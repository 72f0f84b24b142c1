/**
 * Record captures/bundled.pcapng from the live kernel: two fresh network namespaces, veth pairs between them, real
 * sockets (record-traffic.py), tcpdump. Nothing leaves the machine. Needs Linux, root, iproute2, ethtool, tcpdump and
 * python3; not part of the tests, run by hand:
 *
 *     npx tsx --conditions=@netoffload/source packages/netoffload/scripts/record-capture.ts [FILE]
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type CapturePacket, CaptureWriter, readCaptureSync } from "@netoffload/pcap";

const A = `nofl-a-${process.pid}`;
const B = `nofl-b-${process.pid}`;
const RECORDED = ["plain", "tagged"];
const here = path.dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? path.join(here, "../captures/bundled.pcapng");

/** A command of several words. */
function run(command: string): void {
  const [program, ...args] = command.trim().split(/\s+/) as [string, ...string[]];
  execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
}

function prepare(): void {
  for (const namespace of [A, B]) {
    run(`ip netns add ${namespace}`);
    run(`ip -n ${namespace} link set lo up`);
    for (const name of ["all", "default"])
      run(`ip netns exec ${namespace} sysctl -qw net.ipv6.conf.${name}.seg6_enabled=1`);
    // routers announce nothing here, and a second of solicitations is enough
    run(`ip netns exec ${namespace} sysctl -qw net.ipv6.conf.default.router_solicitations=1`);
  }
  for (const [i, dev] of RECORDED.entries()) {
    run(`ip -n ${A} link add ${dev} address 02:00:00:00:0${i}:01 type veth
         peer name ${dev} netns ${B} address 02:00:00:00:0${i}:02`);
    const [v4, v6] = [["192.0.2", "198.51.100"][i], ["2001:db8:", "2001:db8:1:"][i]];
    for (const [side, namespace] of [A, B].entries()) {
      run(`ip -n ${namespace} addr add ${v4}.${side + 1}/24 dev ${dev}`);
      run(`ip -n ${namespace} addr add ${v6}:${side + 1}/64 dev ${dev}`);
      run(`ip netns exec ${namespace} ethtool -K ${dev} tx on sg on tso on gso on`);
    }
    // without the other end there is no carrier yet, and nothing is sent
    run(`ip -n ${A} link set ${dev} up`);
  }
}

/** After the recording has begun, so that it holds the first packets too. */
function up(): void {
  for (const [side, namespace] of [A, B].entries()) {
    const other = 2 - side;
    const mac = `02:00:00:00:09:0${side + 1}`;
    run(`ip -n ${namespace} link add vxlan4 address ${mac} type vxlan id 77 remote 192.0.2.${other}
         local 192.0.2.${side + 1} dstport 4789 dev plain udpcsum`);
    run(`ip -n ${namespace} link add vxlan6 address ${mac} type vxlan id 78 remote 2001:db8::${other}
         local 2001:db8::${side + 1} dstport 4789 dev plain`);
    run(`ip -n ${namespace} addr add 203.0.113.${side + 1}/25 dev vxlan4`);
    run(`ip -n ${namespace} addr add 2001:db8:2::${side + 1}/64 dev vxlan4`);
    run(`ip -n ${namespace} addr add 203.0.113.${129 + side}/25 dev vxlan6`);
    run(`ip -n ${namespace} addr add 2001:db8:5::${side + 1}/64 dev vxlan6`);
    for (const dev of ["vxlan4", "vxlan6"]) run(`ip -n ${namespace} link set ${dev} up`);
  }
  for (const last of [3, 4]) run(`ip -n ${B} addr add 2001:db8:${last}::2/128 dev lo`);
  run(`ip -n ${A} -6 route add 2001:db8:3::2 encap seg6 mode inline segs 2001:db8::2 dev plain`);
  run(`ip -n ${A} -6 route add 2001:db8:4::2 encap seg6 mode encap segs 2001:db8::2 dev plain`);
  // the carrier comes last: by now both ends of the tunnels listen
  for (const dev of RECORDED) run(`ip -n ${B} link set ${dev} up`);
}

/** @returns once tcpdump listens */
async function record(dev: string, file: string): Promise<ChildProcess> {
  const args = [
    "netns",
    "exec",
    A,
    "tcpdump",
    "-i",
    dev,
    "-w",
    file,
    "-s",
    "262144",
    "-B",
    "65536",
    "-Z",
    "root",
  ];
  const tcpdump = spawn("ip", [...args, "--time-stamp-precision=nano"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    tcpdump.stderr!.on("data", (text: Buffer) => {
      said += text;
      if (said.includes("listening on")) resolve();
    });
    tcpdump.once("exit", () => reject(new Error(`tcpdump ended: ${said}`)));
  });
  tcpdump.stderr!.on("data", (text: Buffer) => process.stderr.write(text));
  return tcpdump;
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  await exited;
}

/** One file from one capture for each device, in the order of time. */
function merge(files: readonly string[]): void {
  const packets: [CapturePacket, number][] = [];
  for (const [i, file] of files.entries()) {
    const capture = readCaptureSync([fs.readFileSync(file)]);
    for (const packet of capture) packets.push([packet, i]);
    if (capture.fault) throw new Error(`${file}: ${capture.fault.message}`);
  }
  packets.sort(([x], [y]) => x.seconds - y.seconds || x.nanoseconds - y.nanoseconds);
  const chunks: Buffer[] = [];
  const writer = new CaptureWriter((chunk) => chunks.push(Buffer.from(chunk)), {
    comment: `Recorded on Linux ${os.release().replace(/-.*/, "")} between two network namespaces over veth.`,
  });
  for (const name of RECORDED) writer.addInterface({ linkType: 1, name });
  for (const [{ data, len, seconds, nanoseconds }, interfaceId] of packets)
    writer.write({ data, len, seconds, nanoseconds, interfaceId });
  writer.flush();
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, Buffer.concat(chunks));
  console.log(`${target}: ${packets.length} packets, ${writer.bytesWritten} bytes`);
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netoffload-record-"));
const files = RECORDED.map((dev) => path.join(folder, `${dev}.pcap`));
try {
  prepare();
  const recorders = await Promise.all(RECORDED.map((dev, i) => record(dev, files[i]!)));
  up();
  execFileSync("python3", [path.join(here, "record-traffic.py"), A, B], { stdio: "inherit" });
  // tcpdump is handed packets once a second
  await sleep(2500);
  await Promise.all(recorders.map(stop));
  merge(files);
} finally {
  for (const namespace of [A, B]) {
    try {
      run(`ip netns del ${namespace}`);
    } catch {
      // it was not there yet
    }
  }
  fs.rmSync(folder, { recursive: true, force: true });
}
