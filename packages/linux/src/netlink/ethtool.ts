/** ethtool over generic netlink: features of a link by their names. */
import { LinuxError } from "../errors.ts";
import { attributeList, attributes, MessageWriter, textOf } from "./message.ts";
import { NETLINK_GENERIC, NetlinkSocket } from "./socket.ts";

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const ETHTOOL_GENL_VERSION = 1;
const ETHTOOL_MSG_FEATURES_GET = 11;
const ETHTOOL_MSG_FEATURES_SET = 12;
const ETHTOOL_A_FEATURES_HEADER = 1;
const ETHTOOL_A_FEATURES_HW = 2;
const ETHTOOL_A_FEATURES_WANTED = 3;
const ETHTOOL_A_FEATURES_ACTIVE = 4;
const ETHTOOL_A_FEATURES_NOCHANGE = 5;
const ETHTOOL_A_HEADER_DEV_INDEX = 1;
const ETHTOOL_A_BITSET_BITS = 3;
const ETHTOOL_A_BITSET_BITS_BIT = 1;
const ETHTOOL_A_BITSET_BIT_NAME = 2;
const ETHTOOL_A_BITSET_BIT_VALUE = 3;
const VERSION_1 = (command: number): Uint8Array => Uint8Array.of(command, ETHTOOL_GENL_VERSION, 0, 0);

/** Feature sets of a link; names as the kernel's. */
export interface LinkFeatures {
  /** What the user may toggle. */
  readonly hw: ReadonlySet<string>;
  /** What the user asked for. */
  readonly wanted: ReadonlySet<string>;
  readonly active: Set<string>;
  /** What nobody may change. */
  readonly noChange: ReadonlySet<string>;
}

/** Names in a bitset. @param flagged - the set has a mask: a bit is on when it carries a value */
function bitNames(bitset: Uint8Array | undefined, flagged: boolean): string[] {
  const bits = bitset && attributes(bitset).get(ETHTOOL_A_BITSET_BITS);
  if (bits === undefined) return [];
  return attributeList(bits)
    .map(([, bit]) => attributes(bit))
    .filter((bit) => !flagged || bit.has(ETHTOOL_A_BITSET_BIT_VALUE))
    .map((bit) => textOf(bit.get(ETHTOOL_A_BITSET_BIT_NAME)));
}

/** Features of the calling thread's links. Every method throws {@link LinuxError} with the kernel's errno. */
export class Ethtool {
  readonly #socket: NetlinkSocket = new NetlinkSocket(NETLINK_GENERIC);
  readonly #family: number;

  constructor() {
    const message = new MessageWriter(GENL_ID_CTRL, NLM_F_REQUEST | NLM_F_ACK)
      .header(VERSION_1(CTRL_CMD_GETFAMILY))
      .text(CTRL_ATTR_FAMILY_NAME, "ethtool");
    const [answer] = this.#socket.request(message, "ethtool over netlink");
    const id = answer && attributes(answer.payload.subarray(4)).get(CTRL_ATTR_FAMILY_ID);
    if (id === undefined)
      throw new LinuxError("ENOENT", "ethtool over netlink: no family id", {}, { errno: 2 });
    this.#family = id[0]! | (id[1]! << 8);
  }

  /**
   * Turn features on or off; what depends on others is then as the kernel makes it.
   * @param features - by the kernel's names: `rx-gro`, `tx-checksum-ip-generic`, `tx-generic-segmentation`
   */
  setFeatures(ifindex: number, features: Readonly<Record<string, boolean>>): void {
    const message = this.#message(ETHTOOL_MSG_FEATURES_SET, ifindex).nest(ETHTOOL_A_FEATURES_WANTED, (set) =>
      set.nest(ETHTOOL_A_BITSET_BITS, (bits) => {
        for (const [name, on] of Object.entries(features))
          bits.nest(ETHTOOL_A_BITSET_BITS_BIT, (bit) => {
            bit.text(ETHTOOL_A_BITSET_BIT_NAME, name);
            if (on) bit.flag(ETHTOOL_A_BITSET_BIT_VALUE);
          });
      }),
    );
    this.#socket.request(message, `features of link ${ifindex}`);
  }

  /** Names of the features that are on. */
  features(ifindex: number): Set<string> {
    return this.featureSets(ifindex).active;
  }

  /** The sets of a link, by the features' names. */
  featureSets(ifindex: number): LinkFeatures {
    const answers = this.#socket.request(
      this.#message(ETHTOOL_MSG_FEATURES_GET, ifindex),
      `features of link ${ifindex}`,
    );
    const sets = answers.map(({ payload }) => attributes(payload.subarray(4)));
    const named = (type: number, flagged: boolean): Set<string> =>
      new Set(sets.flatMap((set) => bitNames(set.get(type), flagged)));
    return {
      hw: named(ETHTOOL_A_FEATURES_HW, true),
      wanted: named(ETHTOOL_A_FEATURES_WANTED, false),
      active: named(ETHTOOL_A_FEATURES_ACTIVE, false),
      noChange: named(ETHTOOL_A_FEATURES_NOCHANGE, false),
    };
  }

  close(): void {
    this.#socket.close();
  }

  #message(command: number, ifindex: number): MessageWriter {
    return new MessageWriter(this.#family, NLM_F_REQUEST | NLM_F_ACK)
      .header(VERSION_1(command))
      .nest(ETHTOOL_A_FEATURES_HEADER, (header) => header.u32(ETHTOOL_A_HEADER_DEV_INDEX, ifindex));
  }
}
