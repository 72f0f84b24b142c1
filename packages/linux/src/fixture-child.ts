/**
 * The process of a fixture: enters a network namespace of its own before it opens anything, builds what it was
 * asked for, answers requests on standard input until that ends.
 */
import { release } from "node:os";
import { LinuxError, ok } from "./errors.ts";
import {
  decodeBody,
  decodePrefix,
  encodeMessage,
  type FixtureMessage,
  PREFIX_BYTES,
} from "./fixture/protocol.ts";
import { libc } from "./libc.ts";
import { enterNewNetworkNamespace } from "./namespace.ts";
import { HANDLERS } from "./oracle/handlers.ts";
import { StructBytes } from "./struct-bytes.ts";

const EAGAIN = -11;
const EINTR = -4;
const POLLIN = 1;
const POLLOUT = 4;

/** Wait for standard input or output, which may be non-blocking. */
function waitFor(fd: number, events: number): void {
  libc().poll(new StructBytes(8).u32(0, fd).u16(4, events).bytes, 1, -1);
}

/** Exactly `length` bytes of standard input, or null at its end. */
function readExactly(length: number): Uint8Array | null {
  const out = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const n = libc().read(0, out.subarray(at));
    if (n === 0) return null;
    if (n > 0) at += n;
    else if (n === EAGAIN) waitFor(0, POLLIN);
    else if (n !== EINTR) ok(n, "read a request");
  }
  return out;
}

function receive(): FixtureMessage | null {
  const prefix = readExactly(PREFIX_BYTES);
  if (prefix === null) return null;
  const { textLen, bytesLen } = decodePrefix(prefix);
  const body = readExactly(textLen + bytesLen);
  return body === null ? null : decodeBody(body, textLen);
}

function send(json: unknown, bytes: Uint8Array = new Uint8Array(0)): void {
  const message = encodeMessage(json, bytes);
  for (let at = 0; at < message.length; ) {
    const n = libc().write(1, message.subarray(at));
    if (n >= 0) at += n;
    else if (n === EAGAIN) waitFor(1, POLLOUT);
    else if (n !== EINTR) ok(n, "write an answer");
  }
}

function sendError(error: unknown): void {
  const { message } = error as Error;
  const [code, errno] = error instanceof LinuxError ? [error.code, error.errno] : ["internal", 0];
  send({
    error: {
      code,
      errno,
      message: error instanceof LinuxError ? message : String((error as Error).stack),
    },
  });
}

function main(): void {
  const spec = JSON.parse(process.argv[2] ?? "{}") as { kind?: string };
  const build = HANDLERS[spec.kind ?? ""];
  if (build === undefined)
    throw new LinuxError(
      "EINVAL",
      `fixture '${spec.kind}' is not known; one of: ${Object.keys(HANDLERS).join(", ")}`,
    );
  enterNewNetworkNamespace();
  const handler = build(spec as unknown as Readonly<Record<string, unknown>>);
  send({ kernel: release() });
  for (let message = receive(); message !== null; message = receive()) {
    let answer: FixtureMessage;
    try {
      answer = handler(message.json as Readonly<Record<string, unknown>>, message.bytes);
    } catch (error) {
      sendError(error);
      continue;
    }
    send(answer.json, answer.bytes);
  }
}

try {
  main();
} catch (error) {
  // the owner is gone: nobody to tell
  if (error instanceof LinuxError && error.code === "EPIPE") process.exit(0);
  sendError(error);
  process.exit(1);
}
