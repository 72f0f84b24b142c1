/** A netlink socket of one family: a request, its acknowledgement or its answers. */

import { errnoName } from "../errno.ts";
import { LinuxError, ok } from "../errors.ts";
import { libc } from "../libc.ts";
import { attributes, type Message, type MessageWriter, messages, textOf } from "./message.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const NETLINK_CAP_ACK = 10;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const RECEIVE_BYTES = 65536;
const ON: Uint8Array = Uint8Array.of(1, 0, 0, 0);

/** rtnetlink. */
export const NETLINK_ROUTE = 0;
/** Generic netlink. */
export const NETLINK_GENERIC = 16;

/** Belongs to the network namespace of the thread that made it. */
export class NetlinkSocket {
  readonly #fd: number;
  readonly #buffer: Uint8Array = new Uint8Array(RECEIVE_BYTES);
  #sequence = 0;

  /** @param protocol - {@link NETLINK_ROUTE} or {@link NETLINK_GENERIC}; throws {@link LinuxError} */
  constructor(protocol: number) {
    const c = libc();
    this.#fd = ok(c.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), "socket AF_NETLINK");
    // without them errors are numbers alone; both are older than anything supported here
    c.setsockopt(this.#fd, SOL_NETLINK, NETLINK_EXT_ACK, ON);
    c.setsockopt(this.#fd, SOL_NETLINK, NETLINK_CAP_ACK, ON);
  }

  /**
   * Send a request (NLM_F_REQUEST | NLM_F_ACK, or a dump) and gather what is answered until the acknowledgement.
   * @param what - operation and object, for the error's message
   * @returns copies of the answers; throws {@link LinuxError} with the kernel's own words where it gave some
   */
  request(message: MessageWriter, what: string): Message[] {
    const sequence = ++this.#sequence;
    const c = libc();
    ok(c.send(this.#fd, message.finish(sequence)), `${what}: send`);
    const answers: Message[] = [];
    for (;;) {
      const length = ok(c.recv(this.#fd, this.#buffer), `${what}: recv`);
      for (const answer of messages(this.#buffer.slice(0, length))) {
        if (answer.sequence !== sequence) continue;
        if (answer.type === NLMSG_ERROR || answer.type === NLMSG_DONE) {
          judge(answer, what);
          return answers;
        }
        answers.push(answer);
      }
    }
  }

  close(): void {
    libc().close(this.#fd);
  }
}

/** An acknowledgement carries 0; an error its errno negated and, with luck, a text. */
function judge(answer: Message, what: string): void {
  const { payload } = answer;
  const error = payload.length < 4 ? 0 : new DataView(payload.buffer, payload.byteOffset).getInt32(0, true);
  if (error >= 0) return;
  const code = errnoName(-error);
  // behind the number: the request's header alone, since NETLINK_CAP_ACK is on (not in a NLMSG_DONE)
  const tlvs = payload.subarray(answer.type === NLMSG_DONE ? 4 : 20);
  const said = (answer.flags & NLM_F_ACK_TLVS) === 0 ? "" : textOf(attributes(tlvs).get(NLMSGERR_ATTR_MSG));
  throw new LinuxError(code, `${what}: ${code}${said === "" ? "" : ` (${said})`}`, {}, { errno: -error });
}
