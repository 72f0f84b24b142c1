/** Packets to start mutations from: written by hand, one for each thing that the shipped parsers know. */

const ETHER = "020000000001020000000002";
const IP4 = (proto: string, rest: string, flags = "0000"): string =>
  `45000054000 1${flags}40${proto}0000c0a80001c0a80002${rest}`.replaceAll(" ", "");
const IP6 = (next: string, rest: string): string =>
  `6001234500${"40"}${next}40${"20010db8000000000000000000000001"}${"20010db8000000000000000000000002"}${rest}`;
const TCP = "d903005000000001000000028018ffff00000000" + "020405b40101080a0000000100000002";
const TCP_SACK =
  "d90300500000000100000002b010ffff00000000" +
  "0101051200000001000000020000000300000004" +
  "0303070000000000";
const UDP = "d90300350010000000112233445566aa";
const ICMP = "0800000000070001aabbccdd";

const FRAMES: readonly string[] = [
  `${ETHER}0800${IP4("06", TCP)}`,
  `${ETHER}0800${IP4("06", TCP_SACK)}`,
  `${ETHER}0800${IP4("11", UDP)}`,
  `${ETHER}0800${IP4("01", ICMP)}`,
  `${ETHER}0800${IP4("11", UDP, "2000")}`,
  `${ETHER}0800${IP4("11", UDP, "2003")}`,
  `${ETHER}0800${IP4("32", UDP)}`,
  `${ETHER}0800${IP4("33", UDP)}`,
  `${ETHER}8100a0640800${IP4("06", TCP)}`,
  `${ETHER}88a8006481006065 86dd${IP6("06", TCP)}`.replaceAll(" ", ""),
  `${ETHER}86dd${IP6("11", UDP)}`,
  `${ETHER}86dd${IP6("3a", `80000000${"00070001"}aabb`)}`,
  `${ETHER}86dd${IP6("00", `3c00050200000000${"0600050200000000"}${TCP}`)}`,
  `${ETHER}86dd${IP6("2c", `1100000000000001${UDP}`)}`,
  `${ETHER}86dd${IP6("2c", `1100000900000001${UDP}`)}`,
  `${ETHER}86dd${IP6("2b", `2900040000000000${IP6("06", TCP)}`)}`,
  `${ETHER}0800${IP4("04", IP4("06", TCP))}`,
  `${ETHER}0800${IP4("29", IP6("06", TCP))}`,
  `${ETHER}0800${IP4("2f", `00000800${IP4("06", TCP)}`)}`,
  `${ETHER}0800${IP4("2f", `b000655811110000223344550000000 7${ETHER}0800${IP4("11", UDP)}`.replaceAll(" ", ""))}`,
  `${ETHER}0800${IP4("2f", `3081880b0020aabb0000000100000002ff030021${IP4("06", TCP)}`)}`,
  `${ETHER}0806${"0001080006040001"}0200000000010a0000010000000000000a000002`,
  `${ETHER}8864${"11000001"}0040${"0021"}${IP4("06", TCP)}`,
  `${ETHER}88470000714000001940${"45000000"}`,
  `${ETHER}4305${"400f0000"}000000000000${ETHER}0800${IP4("06", TCP)}`,
  `${ETHER}88ca${"4000001000000000"}${"0000000001001001"}aabb`,
  `${ETHER}88ca${"4e08001000000000"}${"0000000001001001"}aabb`,
  `${ETHER}8906${"00".repeat(40)}`,
  `${ETHER}88f7${"00".repeat(40)}`,
  `${ETHER}892f000100020800${IP4("06", TCP)}`,
  `${ETHER}0800${"46000054000100004006" + "0000c0a80001c0a8000201010100"}${TCP}`,
  `${ETHER}0800${IP4("89", "0001414000000000")}`,
];

/** Fresh copies. */
export function seedPackets(): Uint8Array[] {
  return FRAMES.map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));
}
