/** The same offset on every side: table, AssemblyScript class, TypeScript accessor, C header, the kernel's header. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as api from "@netoffload/skbuff";
import { type Field, type Layout, Memory, SK_BUFF, SKB_SHARED_INFO, SkBuff } from "@netoffload/skbuff";
import { beforeAll, describe, expect, it } from "vitest";
import { facility, has } from "../../../internal/test/facility.ts";
import { WIRE } from "../../src/layout/wire.ts";
import { Random, seed } from "../ref/random.ts";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const STRUCTS = [
  { file: "sk-buff-layout", namespace: null, layout: SK_BUFF },
  { file: "sk-buff-layout", namespace: null, layout: SKB_SHARED_INFO },
];
const ALL = [...STRUCTS, ...WIRE.map((w) => ({ ...w, file: `wire/${w.file}` }))];
const NAMED = ALL.map((one) => [one.layout.name, one] as const);

const width = (f: Field): number => (f.type === "bytes" ? f.length! : Number(/\d+/.exec(f.type)![0]) / 8);
const capital = (name: string): string => name[0]!.toUpperCase() + name.slice(1);

/** The struct's bytes after a field was set, one bit at a time by the table alone. */
function withField(f: Field, before: Uint8Array, value: number): Uint8Array {
  const out = before.slice();
  const bytes = width(f);
  const { shift, width: bits } = f.bits ?? { shift: 0, width: 8 * bytes };
  for (let i = 0; i < bits; i++) {
    const bit = shift + i;
    const byte = f.type.startsWith("be") ? bytes - 1 - (bit >> 3) : bit >> 3;
    const mask = 1 << (bit & 7);
    const one = Math.floor(value / 2 ** i) % 2;
    out[f.offset + byte] = (out[f.offset + byte]! & ~mask) | (one * mask);
  }
  return out;
}

const bits = (f: Field): number => f.bits?.width ?? 8 * width(f);

describe("tables", () => {
  it.each(NAMED)("%s: every field lies inside, bits inside their integer", (_, { layout }) => {
    for (const f of layout.fields) {
      expect(f.offset + width(f), f.name).toBeLessThanOrEqual(layout.size);
      if (f.bits) expect(f.bits.shift + f.bits.width, f.name).toBeLessThanOrEqual(8 * width(f));
    }
  });

  it("the committed files are what the tables give", () => {
    const script = join(root, "scripts", "generate-layouts.ts");
    const args = ["--conditions=@netoffload/source", "--import", "tsx", script, "--check"];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root });
    expect([status, stderr.toString()]).toEqual([0, ""]);
  });

  const line = (f: Field): string =>
    `${f.kernel} ${f.type}${f.length ? `[${f.length}]` : ""} @${f.offset}${f.bits ? ` ${f.bits.shift}+${f.bits.width}` : ""}`;

  // any change of these is ABI 2
  it("ABI 1 of sk_buff is frozen", () => {
    expect(SK_BUFF.size).toBe(128);
    expect(SK_BUFF.fields.map(line).join("\n")).toMatchInlineSnapshot(`
      "next u32 @0
      prev u32 @4
      head u32 @8
      data u32 @12
      tail u32 @16
      end u32 @20
      len u32 @24
      data_len u32 @28
      csum u32 @32
      csum_start u16 @32
      csum_offset u16 @34
      mac_header u16 @36
      network_header u16 @38
      transport_header u16 @40
      mac_len u16 @42
      inner_mac_header u16 @44
      inner_network_header u16 @46
      inner_transport_header u16 @48
      inner_protocol u16 @50
      inner_ipproto u8 @50
      protocol u16 @52
      vlan_proto u16 @54
      vlan_tci u16 @56
      queue_mapping u16 @58
      flags u32 @60
      ip_summed u32 @60 0+2
      csum_level u32 @60 2+2
      csum_not_inet u32 @60 4+1
      csum_valid u32 @60 5+1
      csum_complete_sw u32 @60 6+1
      encapsulation u32 @60 7+1
      encap_hdr_csum u32 @60 8+1
      remcsum_offload u32 @60 9+1
      inner_protocol_type u32 @60 10+1
      unreadable u32 @60 11+1
      l4_hash u32 @60 12+1
      sw_hash u32 @60 13+1
      cloned u32 @60 14+1
      nohdr u32 @60 15+1
      pkt_type u32 @60 16+3
      csum_valid_crc32 u32 @60 19+1
      hash u32 @64
      users u32 @68
      mark u32 @72
      truesize u32 @76
      cb bytes[48] @80"
    `);
  });

  it("ABI 1 of skb_shared_info is frozen", () => {
    expect(SKB_SHARED_INFO.size).toBe(232);
    expect(SKB_SHARED_INFO.fields.map(line).join("\n")).toMatchInlineSnapshot(`
      "flags u8 @0
      meta_len u8 @1
      nr_frags u8 @2
      tx_flags u8 @3
      gso_size u16 @4
      gso_segs u16 @6
      gso_type u32 @8
      frag_list u32 @12
      dataref u32 @16
      reserved u32 @20
      frags bytes[204] @24"
    `);
  });
});

describe(`AssemblyScript and TypeScript (SEED=${seed})`, () => {
  const memory = Memory.create({ bytes: 2 << 20 });
  const at = memory.alloc(512);
  let probe: Record<string, (address: number, value?: number) => number>;

  beforeAll(async () => {
    let source = "";
    for (const file of new Set(ALL.map((one) => one.file))) {
      const names = ALL.filter((one) => one.file === file).map((one) => one.layout.className);
      source += `import { ${names.join(", ")} } from "../../program/${file}";\n`;
    }
    for (const { layout } of ALL)
      for (const f of layout.fields) {
        const access = `changetype<${layout.className}>(p).${f.name}`;
        const name = `${layout.className}_${f.name}`;
        source += `export function ${name}_get(p: usize): u32 { return <u32>${access}; }\n`;
        if (f.type === "bytes") continue;
        const type = f.bits ? "u32" : `u${8 * width(f)}`;
        source += `export function ${name}_set(p: usize, v: u32): void { ${access} = <${type}>v; }\n`;
      }
    const entry = "packages/skbuff/test/layout/probe.ts";
    let binary: Uint8Array | undefined;
    const messages: string[] = [];
    const flags = [
      "--runtime",
      "stub",
      "--noAssert",
      "--use",
      "abort=",
      "--importMemory",
      "--noExportMemory",
    ];
    // by name, since the compiler's types would redefine globals for every test of the project
    const compiler: string = "assemblyscript/asc";
    const { default: asc } = await import(compiler);
    const { error } = await asc.main([entry, ...flags, "--initialMemory", "16", "--outFile", "out.wasm"], {
      stderr: { write: (text: string) => messages.push(text) > 0 },
      readFile: (name: string) => {
        const path = join(root, name);
        return name === entry ? source : existsSync(path) ? readFileSync(path, "utf8") : null;
      },
      writeFile: (name: string, contents: Uint8Array) => {
        if (name === "out.wasm") binary = contents;
      },
    });
    expect(error, messages.join("")).toBeNull();
    const module = new WebAssembly.Module(Uint8Array.from(binary!));
    probe = new WebAssembly.Instance(module, { env: { memory: memory.wasm as never } }).exports as never;
  }, 120_000);

  /** Noise, with the field set as the table says; then get and set must agree with it. */
  function check(layout: Layout, f: Field, get: () => number, set: (n: number) => void): void {
    const random = new Random(seed + f.offset);
    for (const value of [0, 2 ** bits(f) - 1, random.below(2 ** bits(f)), random.below(2 ** bits(f))]) {
      const before = random.bytes(layout.size);
      const after = withField(f, before, value);
      memory.bytes.set(after, at);
      expect(get() >>> 0, `${layout.name}.${f.name}`).toBe(value);
      memory.bytes.set(before, at);
      set(value);
      expect(memory.bytes.slice(at, at + layout.size), `${layout.name}.${f.name}`).toEqual(after);
    }
  }

  it.each(NAMED)("%s in AssemblyScript", (_, { layout }) => {
    for (const f of layout.fields) {
      const name = `${layout.className}_${f.name}`;
      if (f.type === "bytes") expect(probe[`${name}_get`]!(at)).toBe(at + f.offset);
      else
        check(
          layout,
          f,
          () => probe[`${name}_get`]!(at),
          (n) => probe[`${name}_set`]!(at, n),
        );
    }
  });

  it.each(WIRE.map((w) => [w.namespace, w] as const))("%s in TypeScript", (_, { namespace, layout }) => {
    const side = (api as unknown as Record<string, Record<string, unknown>>)[namespace]!;
    expect(side.HLEN).toBe(layout.size);
    for (const f of layout.fields) {
      if (f.type === "bytes") {
        const name = `${f.name.replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase()}_OFF`;
        expect(side[name], name).toBe(f.offset);
        continue;
      }
      const get = side[f.name] as (v: DataView, off: number) => number;
      const set = side[`set${capital(f.name)}`] as (v: DataView, off: number, n: number) => void;
      check(
        layout,
        f,
        () => get(memory.view, at),
        (n) => set(memory.view, at, n),
      );
    }
  });

  it("guest order: the same fields in big endian", () => {
    for (const f of WIRE.find((w) => w.namespace === "virtioNetHdr")!.layout.fields) {
      if (f.type !== "guest16") continue;
      const side = api.virtioNetHdr as unknown as Record<string, (...args: unknown[]) => number>;
      side[`set${capital(f.name)}`]!(memory.view, at, 0x1234, false);
      expect([memory.bytes[at + f.offset], memory.bytes[at + f.offset + 1]]).toEqual([0x12, 0x34]);
      expect(side[f.name]!(memory.view, at, false)).toBe(0x1234);
      expect(side[f.name]!(memory.view, at)).toBe(0x3412);
    }
  });

  it("sk_buff by the offsets and bits of TypeScript", () => {
    expect([api.SIZEOF_SK_BUFF, api.SIZEOF_SKB_SHARED_INFO, api.SK_BUFF_SIZE]).toEqual([128, 232, 128]);
    for (const [layout, off] of [
      [SK_BUFF, api.SK_BUFF_OFF],
      [SKB_SHARED_INFO, api.SKB_SHARED_INFO_OFF],
    ] as const)
      expect(off).toEqual(
        Object.fromEntries(layout.fields.filter((f) => f.bits === undefined).map((f) => [f.name, f.offset])),
      );
    expect(api.SK_BUFF_BITS).toEqual(
      Object.fromEntries(
        SK_BUFF.fields.filter((f) => f.bits).map((f) => [f.name, [f.bits!.shift, f.bits!.width]]),
      ),
    );
  });

  it("sk_buff by the properties of SkBuff", () => {
    const skb = new SkBuff(memory, at) as unknown as Record<string, number>;
    const writable = (name: string): boolean =>
      Object.getOwnPropertyDescriptor(SkBuff.prototype, name)?.set !== undefined;
    for (const f of SK_BUFF.fields) {
      if (!(f.name in skb) || f.type === "bytes") continue;
      if (writable(f.name)) {
        check(
          SK_BUFF,
          f,
          () => skb[f.name]!,
          (n) => {
            skb[f.name] = n;
          },
        );
        continue;
      }
      const random = new Random(seed);
      const value = random.below(2 ** bits(f));
      memory.bytes.set(withField(f, random.bytes(SK_BUFF.size), value), at);
      expect(skb[f.name], f.name).toBe(value);
    }
  });

  it("skb_shared_info by the properties of SkBuff", () => {
    const skb = new SkBuff(memory, memory.alloc(128)) as unknown as Record<string, number>;
    memory.view.setUint32(skb.address! + 20, at, true);
    for (const f of SKB_SHARED_INFO.fields) {
      const name = f.name === "flags" ? "shinfoFlags" : f.name;
      if (!(name in skb) || f.type === "bytes") continue;
      const random = new Random(seed);
      const value = random.below(2 ** bits(f));
      memory.bytes.set(withField(f, random.bytes(SKB_SHARED_INFO.size), value), at);
      expect(skb[name], name).toBe(value);
    }
  });
});

/** Compile and run a C program that prints numbers, one "name value" a line. */
function runC(compiler: string, source: string): Map<string, number> {
  const dir = mkdtempSync(join(tmpdir(), "netoffload-layout-"));
  try {
    writeFileSync(join(dir, "probe.c"), source);
    const include = join(root, "packages", "skbuff");
    const exe = join(dir, "probe");
    const made = spawnSync(compiler, [
      "-std=gnu11",
      "-Wall",
      "-Werror",
      "-I",
      include,
      "-o",
      exe,
      join(dir, "probe.c"),
    ]);
    if (made.status !== 0) throw new Error(made.stderr.toString());
    const lines = spawnSync(exe).stdout.toString().trim().split("\n");
    return new Map(lines.map((line) => line.split(" ") as [string, string]).map(([k, v]) => [k, Number(v)]));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

describe.each(["gcc", "clang"])("C by %s", (compiler) => {
  const here = facility(compiler, has(compiler), `install ${compiler}`);

  it.skipIf(!here)("netoffload_abi1.h says what the tables say, and offsetof agrees", () => {
    const expected = new Map<string, number>();
    let body = "";
    const print = (name: string, expression: string, value: number): void => {
      body += `  printf("%s %lu\\n", "${name}", (unsigned long)(${expression}));\n`;
      expected.set(name, value);
    };
    for (const { layout, namespace } of ALL) {
      const prefix = `NO_${layout.name.toUpperCase()}`;
      print(`${prefix}_SIZE`, `${prefix}_SIZE`, layout.size);
      if (namespace === null) print(`sizeof:${layout.name}`, `sizeof(struct no_${layout.name})`, layout.size);
      for (const f of layout.fields) {
        const macro = `${prefix}_${f.kernel.toUpperCase()}`;
        print(`${macro}_OFF`, `${macro}_OFF`, f.offset);
        if (f.bits) {
          print(`${macro}_SHIFT`, `${macro}_SHIFT`, f.bits.shift);
          print(`${macro}_MASK`, `${macro}_MASK`, 2 ** f.bits.width - 1);
          continue;
        }
        // a second name of the same storage is a macro only
        if (namespace !== null || f.kernel === "inner_ipproto") continue;
        print(`offsetof:${macro}`, `offsetof(struct no_${layout.name}, ${f.kernel})`, f.offset);
      }
    }
    const got = runC(
      compiler,
      `#include <stdio.h>\n#include <stddef.h>\n#include "netoffload_abi1.h"\nint main(void) {\n${body}  return 0;\n}\n`,
    );
    expect(got).toEqual(expected);
  });

  const headers = ["if_ether", "ip", "ipv6", "tcp", "udp", "icmp", "igmp", "virtio_net"];
  const kernel = facility(
    "the kernel's user headers",
    headers.every((name) => existsSync(`/usr/include/linux/${name}.h`)),
    "install linux-libc-dev",
  );

  it.skipIf(!here || !kernel)("the wire headers are the kernel's", () => {
    // fields by the kernel's names, where its user headers name the same bytes so
    const structs: Record<string, string[]> = {
      ethhdr: ["h_dest", "h_source", "h_proto"],
      iphdr: ["tos", "tot_len", "id", "frag_off", "ttl", "protocol", "check", "saddr", "daddr"],
      ipv6hdr: ["payload_len", "nexthdr", "hop_limit", "saddr", "daddr"],
      ipv6_opt_hdr: ["nexthdr", "hdrlen"],
      ipv6_rt_hdr: ["nexthdr", "hdrlen", "type", "segments_left"],
      tcphdr: ["source", "dest", "seq", "ack_seq", "window", "check", "urg_ptr"],
      udphdr: ["source", "dest", "len", "check"],
      icmphdr: ["type", "code", "checksum", "un"],
      igmphdr: ["type", "code", "csum", "group"],
      virtio_net_hdr: ["flags", "gso_type", "hdr_len", "gso_size", "csum_start", "csum_offset"],
    };
    const expected = new Map<string, number>();
    let body = "";
    for (const [name, fields] of Object.entries(structs)) {
      const { layout } = WIRE.find((w) => w.layout.name === name)!;
      if (name !== "virtio_net_hdr") {
        body += `  printf("sizeof:${name} %zu\\n", sizeof(struct ${name}));\n`;
        expected.set(`sizeof:${name}`, layout.size);
      }
      for (const field of fields) {
        body += `  printf("${name}.${field} %zu\\n", offsetof(struct ${name}, ${field}));\n`;
        expected.set(`${name}.${field}`, layout.fields.find((f) => f.kernel === field)!.offset);
      }
    }
    const includes = headers.map((name) => `#include <linux/${name}.h>`).join("\n");
    const source = `#include <stdio.h>\n#include <stddef.h>\n${includes}\nint main(void) {\n${body}  return 0;\n}\n`;
    expect(runC(compiler, source)).toEqual(expected);
  });
});
