/** Every fixture by its kind: built in the fixture's process, which is in its namespace by then. */
import { checksumFixture } from "./checksum-fixture.ts";
import { coalesceFixture } from "./coalesce-fixture.ts";
import { dissectFixture } from "./dissect-fixture.ts";
import { segmentFixture } from "./segment-fixture.ts";
import { statusFixture } from "./status-fixture.ts";

/** Answers one request. The bytes may be a view that the next request makes stale. */
export type Handler = (
  request: Readonly<Record<string, unknown>>,
  bytes: Uint8Array,
) => { json: unknown; bytes: Uint8Array };

/** Makes interfaces and sockets, and what answers with them. */
export type HandlerBuilder = (spec: Readonly<Record<string, unknown>>) => Handler;

/** By {@link FixtureSpec} kind. */
export const HANDLERS: Readonly<Record<string, HandlerBuilder>> = {
  checksum: checksumFixture,
  coalesce: coalesceFixture,
  dissect: dissectFixture,
  segment: segmentFixture,
  status: statusFixture,
};
