/** The folder of real captures beside the project. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readCaptureSync } from "@netoffload/pcap";

const folder = fileURLToPath(new URL("../../../../../shared/captures", import.meta.url));

/** Whether it is there; said aloud where not. */
export const haveCaptures: boolean = existsSync(folder);
if (!haveCaptures)
  console.warn("SKIPPED: ../shared/captures is not here (the folder of real captures beside the project)");

/** Names of the captures, `xdp2/` included. */
export function captureNames(): string[] {
  if (!haveCaptures) return [];
  const plain = readdirSync(folder).filter((f) => /\.pcap(ng)?$/.test(f));
  return [...plain, ...readdirSync(`${folder}/xdp2`).map((f) => `xdp2/${f}`)];
}

/** Packets of a capture, in order; a damaged one gives those before its fault. */
export function packetsOf(name: string): Uint8Array[] {
  const capture = readCaptureSync([readFileSync(`${folder}/${name}`)]);
  const out: Uint8Array[] = [];
  for (const p of capture) out.push(p.data.slice());
  return out;
}

/** Every packet of every capture. */
export function allPackets(): Uint8Array[] {
  return captureNames().flatMap(packetsOf);
}
