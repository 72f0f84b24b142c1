/**
 * What the kernel's flow dissector must find in a frame if the shipped graph is right: the graph, run by the
 * interpreter, put into the kernel's own struct flow_keys and into the payload offset that filters see.
 */
import { Interpreter, isOkay, type Parser } from "@netoffload/cpr-ir";
import { FLOW_KEYS, FLOW_KEYS_BYTES } from "@netoffload/linux";

/** FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL, which the flow hash asks for. */
const STOP_AT_FLOW_LABEL = 2;
/** Members of struct bpf_flow_keys, the graph's metameta area. */
const BPF = { thoff: 2, isFrag: 6, isFirstFrag: 7, isEncap: 8, ipProto: 9, nProto: 10, ports: 12, addrs: 16 };
const BPF_FLOW_LABEL = 52;
/** What the struct cannot hold, in the graph's frame behind it. */
const FRAME = { addrType: 56, keyid: 60, tipc: 64, vlan: 68 };
const ADDRS_BYTES = 32;
const IS_FRAGMENT = 1;
const FIRST_FRAG = 2;
const ENCAPSULATION = 64;
const ADDR_IPV4 = 2;
const ADDR_IPV6 = 3;
const ADDR_TIPC = 8;
const ETH_HLEN = 14;
const VLAN_HLEN = 4;
const ETH_P_8021Q = 0x8100;
const ETH_P_8021AD = 0x88a8;
const ETH_P_802_3_MIN = 0x600;
const ETH_P_802_3 = 1;
const ETH_P_802_2 = 4;

/** skb->protocol of a frame. @see net/ethernet/eth.c eth_type_trans() */
export function protocolOf(frame: Uint8Array): number {
  const type = (frame[12]! << 8) | frame[13]!;
  if (type >= ETH_P_802_3_MIN) return type;
  // Novell's way: an IPX checksum of ones in the place of an LLC header
  const ones = frame.length >= ETH_HLEN + 2 && frame[14] === 0xff && frame[15] === 0xff;
  return ones ? ETH_P_802_3 : ETH_P_802_2;
}

/** Does the stack take a tag off before anybody looks? */
export function isTagged(frame: Uint8Array): boolean {
  const type = (frame[12]! << 8) | frame[13]!;
  return type === ETH_P_8021Q || type === ETH_P_8021AD;
}

/** Runs the graph on frames and says what the kernel must say. Holds the answers until the next frame. */
export class DissectExpectation {
  /** Of the last {@link run}: struct flow_keys as the flow hash leaves it. */
  readonly keys: Uint8Array = new Uint8Array(FLOW_KEYS_BYTES);
  /** The dissector said good. */
  good = false;
  readonly #interpreter: Interpreter;
  readonly #view: DataView;

  constructor(parser: Parser) {
    this.#interpreter = new Interpreter(parser);
    this.#view = new DataView(this.keys.buffer);
  }

  /** Node at which the last run ended. */
  get lastNode(): string {
    return this.#interpreter.parser.nodes[this.#interpreter.lastNode]!.name;
  }

  /** Dissect a frame of at least 14 bytes as the flow hash does. */
  run(frame: Uint8Array): void {
    this.#dissect(frame, STOP_AT_FLOW_LABEL);
    const { metadata } = this.#interpreter;
    const { keys } = this;
    keys.fill(0);
    keys.set(metadata.subarray(BPF.thoff, BPF.thoff + 2), FLOW_KEYS.thoff);
    keys.set(metadata.subarray(FRAME.addrType, FRAME.addrType + 2), FLOW_KEYS.addrType);
    const flag = (at: number, bit: number): number => (metadata[at] === 1 ? bit : 0);
    keys[FLOW_KEYS.flags] =
      flag(BPF.isFrag, IS_FRAGMENT) | flag(BPF.isFirstFrag, FIRST_FRAG) | flag(BPF.isEncap, ENCAPSULATION);
    keys.set(metadata.subarray(BPF.nProto, BPF.nProto + 2), FLOW_KEYS.nProto);
    keys[FLOW_KEYS.ipProto] = metadata[BPF.ipProto]!;
    for (let i = 0; i < 4; i++) keys[FLOW_KEYS.flowLabel + i] = metadata[BPF_FLOW_LABEL + 3 - i]!;
    keys.set(metadata.subarray(FRAME.vlan, FRAME.vlan + 6), FLOW_KEYS.vlan);
    keys.set(metadata.subarray(FRAME.keyid, FRAME.keyid + 4), FLOW_KEYS.keyid);
    keys.set(metadata.subarray(BPF.ports, BPF.ports + 4), FLOW_KEYS.ports);
    keys.set(metadata.subarray(BPF.addrs, BPF.addrs + ADDRS_BYTES), FLOW_KEYS.addrs);
    const type = metadata[FRAME.addrType];
    if (type === ADDR_TIPC) keys.set(metadata.subarray(FRAME.tipc, FRAME.tipc + 4), FLOW_KEYS.addrs);
    this.#order(type!);
  }

  /** skb_get_poff of a frame as a socket filter sees it: behind a tap, which takes the outer tag off. */
  poff(frame: Uint8Array): number {
    this.#dissect(frame, 0);
    const { metadata } = this.#interpreter;
    if (!this.good) return 0;
    const at = metadata[BPF.thoff]! | (metadata[BPF.thoff + 1]! << 8);
    const whole = at + this.#l4Length(frame, at);
    return isTagged(frame) ? whole - VLAN_HLEN : whole;
  }

  #dissect(frame: Uint8Array, flags: number): void {
    const it = this.#interpreter;
    it.clear();
    it.keys[0] = flags;
    it.keys[1] = protocolOf(frame);
    this.good = isOkay(it.run(frame, frame.length, ETH_HLEN));
  }

  /** @see net/core/flow_dissector.c __skb_get_poff() */
  #l4Length(frame: Uint8Array, at: number): number {
    const { metadata } = this.#interpreter;
    if (metadata[BPF.isFrag] === 1 && metadata[BPF.isFirstFrag] === 0) return 0;
    switch (metadata[BPF.ipProto]) {
      case 6:
        return at + 12 < frame.length ? Math.max(20, (frame[at + 12]! & 0xf0) >> 2) : 0;
      case 1:
      case 2:
      case 17:
      case 58:
      case 136:
        return 8;
      case 33:
      case 132:
        return 12;
      default:
        return 0;
    }
  }

  /** The hash puts the smaller end first. @see net/core/flow_dissector.c __flow_hash_consistentify() */
  #order(type: number): void {
    if (type !== ADDR_IPV4 && type !== ADDR_IPV6) return;
    const { addrs, ports } = FLOW_KEYS;
    const [view, keys] = [this.#view, this.keys];
    if (type === ADDR_IPV4) {
      const [src, dst] = [view.getUint32(addrs, true), view.getUint32(addrs + 4, true)];
      if (dst < src) {
        view.setUint32(addrs, dst, true);
        view.setUint32(addrs + 4, src, true);
      }
    } else {
      const [src, dst] = [keys.slice(addrs, addrs + 16), keys.slice(addrs + 16, addrs + 32)];
      if (Buffer.compare(dst, src) < 0) {
        keys.set(dst, addrs);
        keys.set(src, addrs + 16);
      }
    }
    const [sport, dport] = [view.getUint16(ports, true), view.getUint16(ports + 2, true)];
    if (dport < sport) {
      view.setUint16(ports, dport, true);
      view.setUint16(ports + 2, sport, true);
    }
  }
}
