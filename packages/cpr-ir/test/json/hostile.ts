/** Documents made to hurt a reader. */

const head = '{"cpr":1,"parsers":[{"root-node":"n0"}],';
const many = (n: number, of: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => of(i)).join(",");

/** By name; each makes its text. */
export const HOSTILE: Readonly<Record<string, () => string>> = {
  "10 MB of brackets": () => "[".repeat(10 << 20),
  "2 MB of brackets": () => "[".repeat((2 << 20) - 1),
  "2 MB of objects": () => '{"a":'.repeat(400_000),
  "2 MB of zeros": () => `[${"0,".repeat(1_000_000)}0]`,
  "2 MB of empty objects": () => `[${"{},".repeat(650_000)}{}]`,
  "one 2 MB string": () => `{"cpr":"${"a".repeat((2 << 20) - 20)}"}`,
  "2 MB of escapes": () => `{"cpr":"${"\\u0041".repeat(345_000)}"}`,
  "2 MB of line ends": () => `${"\n".repeat((2 << 20) - 10)}x`,
  "a number of a million digits": () => `{"cpr":${"9".repeat(1_000_000)}}`,
  "numbers beyond range": () => `{"cpr":1e999,"parsers":-1e999,"parse-nodes":9007199254740993}`,
  "45000 duplicate keys": () => `{${many(45_000, () => '"cpr":1')}}`,
  "45000 unknown properties": () => `{${many(45_000, (i) => `"p${i}":1`)}}`,
  "prototype names as keys": () => `{${many(50, () => '"__proto__":{"constructor":{"prototype":1}}')}}`,
  "a table of 15000 equal keys": () =>
    `${head}"parse-nodes":[{"name":"n0","min-hdr-length":4,"next-proto":{"field-off":0,"field-len":4,"ents":[${many(15_000, () => '{"key":1,"node":"n0"}')}]}}]}`,
  "10000 nodes that share a table of 10000": () =>
    `${head}"proto-tables":[{"name":"t","ents":[${many(10_000, (i) => `{"key":${i},"node":"n${i}"}`)}]}],"parse-nodes":[${many(10_000, (i) => `{"name":"n${i}","min-hdr-length":4,"next-proto":{"field-off":0,"field-len":4,"table":"t"}}`)}]}`,
  "TLV nodes in a circle": () =>
    `${head}"parse-nodes":[{"name":"n0","min-hdr-length":4,"tlv-parse-node":{"tlv-type":{"field-off":0,"field-len":1},"tlv-length":{"field-off":1,"field-len":1},"ents":[{"key":1,"node":"a"}]}}],"tlv-nodes":[{"name":"a","min-hdr-length":2,"overlay-node":{"wildcard-node":"b"}},{"name":"b","min-hdr-length":2,"overlay-node":{"wildcard-node":"a"}}]}`,
  "a chain of 10000 TLV nodes": () =>
    `${head}"parse-nodes":[{"name":"n0","min-hdr-length":4,"tlv-parse-node":{"tlv-type":{"field-off":0,"field-len":1},"tlv-length":{"field-off":1,"field-len":1},"wildcard-node":"t0"}}],"tlv-nodes":[${many(10_000, (i) => `{"name":"t${i}","min-hdr-length":2,"overlay-node":{"wildcard-node":"t${(i + 1) % 10_000}"}}`)}]}`,
  "1000 conditions of 24 levels": () => {
    let expr = '{"type":"equal","field-off":9,"field-len":1,"value":0}';
    for (let i = 0; i < 24; i++) expr = `{"type":"and","ents":[${expr}]}`;
    return `${head}"parse-nodes":[{"name":"n0","min-hdr-length":4,"pre-checks":{"ents":[{"ents":[${many(1000, () => expr)}]}]}}]}`;
  },
  "a frame area of gigabytes": () =>
    '{"cpr":1,"parsers":[{"root-node":"n0","frame-size":65535,"max-frames":1024}],"parse-nodes":[{"name":"n0","min-hdr-length":0}]}',
  "16 parsers over 20000 nodes": () =>
    `{"cpr":1,"parsers":[${many(16, (i) => `{"name":"p${i}","root-node":"missing"}`)}],"parse-nodes":[${many(20_000, (i) => `{"name":"n${i}","min-hdr-length":0}`)}]}`,
  "10000 parsers": () =>
    `{"cpr":1,"parsers":[${many(10_000, (i) => `{"name":"p${i}","root-node":"n"}`)}],"parse-nodes":[{"name":"n","min-hdr-length":0}]}`,
};
