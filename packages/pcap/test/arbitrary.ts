/** Random captures, valid by construction, laid out by build.ts. */
import fc from "fast-check";
import {
  ascii,
  block,
  concat,
  endOfOptions,
  epb,
  idb,
  option,
  pb,
  pcapHeader,
  pcapRecord,
  shb,
  spb,
  u64,
} from "./build.ts";

const data = fc.uint8Array({ maxLength: 90 });
const linkType = fc.constantFrom(0, 1, 12, 101, 108, 113, 228, 229, 276, 147);

/** A pcap file of any magic and byte order. */
export const pcapCapture: fc.Arbitrary<Uint8Array> = fc
  .record({
    le: fc.boolean(),
    magic: fc.constantFrom(0xa1b2c3d4, 0xa1b23c4d),
    snaplen: fc.constantFrom(0, 64, 65535),
    network: fc.oneof(linkType, fc.constant((2 << 28) | 0x04000000 | 1)),
    records: fc.array(
      fc.record({
        seconds: fc.integer({ min: 0, max: 0xffffffff }),
        fraction: fc.integer({ min: 0, max: 999_999 }),
        data,
        more: fc.integer({ min: 0, max: 3000 }),
      }),
      { maxLength: 12 },
    ),
  })
  .map((c) =>
    concat(
      pcapHeader({ le: c.le, magic: c.magic, snaplen: c.snaplen, network: c.network >>> 0 }),
      ...c.records.map((r) => pcapRecord(c.le, r.seconds, r.fraction, r.data, r.data.length + r.more)),
    ),
  );

const stamp = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

const blockOf = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("epb" as const), interfaceId: fc.nat(2), stamp, data }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("commented" as const),
      interfaceId: fc.nat(2),
      stamp,
      data,
      comment: fc.string({ maxLength: 20 }),
      flags: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("spb" as const), data, more: fc.nat(100) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("pb" as const), interfaceId: fc.nat(2), stamp, data }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("other" as const),
      type: fc.constantFrom(4, 5, 10, 0x0bad, 0x40000bad, 0x7777),
      data,
    }),
  },
);

const section = fc.record({
  le: fc.boolean(),
  interfaces: fc.array(
    fc.record({
      linkType,
      snaplen: fc.constantFrom(0, 40, 262144),
      tsresol: fc.option(fc.oneof(fc.constantFrom(0, 3, 6, 9, 12, 0x80 + 10, 0x80 + 32), fc.nat(255))),
      tsoffset: fc.option(fc.bigInt({ min: -(1n << 40n), max: 1n << 40n })),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  blocks: fc.array(blockOf, { maxLength: 8 }),
});

/** A pcapng file of one to three sections, some packets of undescribed interfaces among them. */
export const pcapngCapture: fc.Arbitrary<Uint8Array> = fc
  .array(section, { minLength: 1, maxLength: 3 })
  .map((sections) =>
    concat(
      ...sections.flatMap(({ le, interfaces, blocks }) => [
        shb(le),
        ...interfaces.map((i) => {
          const options: Uint8Array[] = [];
          if (i.tsresol !== null) options.push(option(le, 9, Uint8Array.of(i.tsresol)));
          if (i.tsoffset !== null) options.push(option(le, 14, u64(i.tsoffset, le)));
          if (options.length > 0) options.push(endOfOptions());
          return idb(le, i.linkType, i.snaplen, ...options);
        }),
        ...blocks.map((b) => {
          switch (b.kind) {
            case "epb":
              return epb(le, b.interfaceId, b.stamp, b.data);
            case "commented":
              return epb(
                le,
                b.interfaceId,
                b.stamp,
                b.data,
                b.data.length + 7,
                option(le, 1, new TextEncoder().encode(b.comment)),
                option(le, 2, le ? Uint8Array.of(b.flags, 0, 0, 0) : Uint8Array.of(0, 0, 0, b.flags)),
                option(le, 1, ascii("second")),
                endOfOptions(),
              );
            case "spb":
              return spb(le, b.data.length + b.more, b.data);
            case "pb":
              return pb(le, b.interfaceId, 0xffff, b.stamp, b.data);
            default:
              return block(le, b.type, b.data);
          }
        }),
      ]),
    ),
  );

export const anyCapture: fc.Arbitrary<Uint8Array> = fc.oneof(pcapCapture, pcapngCapture);
