import { expect, it } from "vitest";
import * as api from "../src/index.ts";

it("the public names", () => {
  expect(Object.keys(api).sort()).toMatchInlineSnapshot(`
    [
      "AsyncCapture",
      "BLOCK_CUSTOM",
      "BLOCK_CUSTOM_NO_COPY",
      "BLOCK_DSB",
      "BLOCK_EPB",
      "BLOCK_IDB",
      "BLOCK_ISB",
      "BLOCK_NRB",
      "BLOCK_PB",
      "BLOCK_SHB",
      "BLOCK_SPB",
      "CaptureReader",
      "CaptureWriter",
      "LINKTYPE_ETHERNET",
      "LINKTYPE_IPV4",
      "LINKTYPE_IPV6",
      "LINKTYPE_LINUX_SLL",
      "LINKTYPE_LINUX_SLL2",
      "LINKTYPE_LOOP",
      "LINKTYPE_NULL",
      "LINKTYPE_RAW",
      "LINKTYPE_RAW_12",
      "LINKTYPE_RAW_14",
      "LinkHeader",
      "PcapError",
      "SyncCapture",
      "isKnownLinkType",
      "linkTypeName",
      "readCapture",
      "readCaptureSync",
      "readOptions",
    ]
  `);
});
