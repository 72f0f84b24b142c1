import { hexToBytes } from "@netoffload/internal";
import { describe, expect, it } from "vitest";
import { isKnownLinkType, LinkHeader, linkTypeName } from "../src/index.ts";

const view = (hex: string): DataView => new DataView(hexToBytes(hex.replace(/ /g, ""))!.buffer);

describe("LinkHeader", () => {
  const rows: [string, number, string, boolean, number, number][] = [
    ["Ethernet", 1, "020000000001 020000000002 86dd 60", true, 14, 0x86dd],
    [
      "Ethernet with a VLAN tag: not stepped over",
      1,
      "020000000001 020000000002 8100 0001 0800",
      true,
      14,
      0x8100,
    ],
    ["Ethernet, cut", 1, "020000000001 020000000002 86", false, 0, -1],
    ["raw IPv4", 101, "45", true, 0, 0x0800],
    ["raw IPv6 by its BSD number", 12, "60", true, 0, 0x86dd],
    ["raw IPv6 by its OpenBSD number", 14, "60", true, 0, 0x86dd],
    ["raw, neither", 101, "50", false, 0, -1],
    ["raw, empty", 101, "", false, 0, -1],
    ["IPv4", 228, "", true, 0, 0x0800],
    ["IPv6", 229, "", true, 0, 0x86dd],
    ["NULL, little endian, IPv4", 0, "02000000 45", true, 4, 0x0800],
    ["NULL, big endian, IPv4", 0, "00000002 45", true, 4, 0x0800],
    ["NULL, Darwin's IPv6", 0, "1e000000 60", true, 4, 0x86dd],
    ["NULL, FreeBSD's IPv6, big endian", 0, "0000001c 60", true, 4, 0x86dd],
    ["NULL, another family", 0, "07000000 60", false, 4, -1],
    ["NULL, cut", 0, "020000", false, 0, -1],
    ["LOOP, NetBSD's IPv6", 108, "00000018 60", true, 4, 0x86dd],
    ["LOOP is never little endian", 108, "02000000 45", false, 4, -1],
    ["SLL", 113, "0000 0001 0006 0200000000010000 0800", true, 16, 0x0800],
    ["SLL, cut", 113, "0000 0001 0006 0200000000010000 08", false, 0, -1],
    ["SLL2", 276, "86dd 0000 00000001 0001 00 06 0200000000010000", true, 20, 0x86dd],
    ["SLL2, cut", 276, "86dd", false, 0, -1],
    ["something else", 105, "0000", false, 0, -1],
  ];
  const header = new LinkHeader();
  it.each(rows)("%s", (_name, linkType, hex, known, headerLen, etherType) => {
    const v = view(`a5a5 ${hex}`);
    expect(header.parse(linkType, v, 2, v.byteLength - 2)).toBe(known);
    expect(header.etherType).toBe(etherType);
    if (known) expect(header.headerLen).toBe(headerLen);
    if (known) expect(isKnownLinkType(linkType)).toBe(true);
  });
});

it("names", () => {
  expect(linkTypeName(1)).toBe("ETHERNET");
  expect(linkTypeName(276)).toBe("LINUX_SLL2");
  expect(linkTypeName(4000)).toBe("LINKTYPE_4000");
  expect(isKnownLinkType(4000)).toBe(false);
});
