import { describe, expect, test } from "vitest";
import { ideal, PROFILES, readProfile, v4v6Basic } from "../../src/index.ts";

const faults = (value: unknown): string[] => {
  const result = readProfile(value);
  return result.ok ? [] : result.faults.map(({ path }) => path);
};

describe("a user's profile", () => {
  test("fields given override those of what it is based on", () => {
    const result = readProfile({
      name: "mine",
      basedOn: "v4v6-basic",
      tx: { csum: { startMax: 127, l4: ["tcp"] } },
    });
    expect(result).toEqual({
      ok: true,
      value: {
        ...v4v6Basic,
        name: "mine",
        tx: { csum: { ...v4v6Basic.tx.csum, startMax: 127, l4: ["tcp"] } },
      },
    });
  });

  test("a fixed-function device becomes programmable, and the other way round", () => {
    const given = readProfile({ name: "a", basedOn: "v4v6-basic", program: { instructions: 5 } });
    expect(given).toMatchObject({ ok: true, value: { program: { ...ideal.program, instructions: 5 } } });
    expect(readProfile({ name: "b", program: null })).toMatchObject({ ok: true, value: { program: null } });
  });

  test("every fault is told with its path, all at once", () => {
    expect(
      faults({
        name: "Bad Name",
        basedOn: "nothing",
        colour: 1,
        tx: { csum: { mode: "magic", startMax: -1, l3: ["ipx"], ipv4Options: 1, more: 2 } },
        rx: 7,
        program: { targets: [5], stack: 1.5 },
      }),
    ).toEqual([
      "basedOn",
      "name",
      "colour",
      "tx.csum.mode",
      "tx.csum.startMax",
      "tx.csum.l3",
      "tx.csum.ipv4Options",
      "tx.csum.more",
      "rx",
      "program.targets",
      "program.stack",
    ]);
  });

  test.each([null, undefined, 1, "x", [], [{}]])("%j is no profile", (value) => {
    expect(faults(value)).toEqual([""]);
  });

  test.each(["__proto__", "constructor", "toString"])("%s names no shipped profile and no field", (word) => {
    expect(faults(JSON.parse(`{"name":"x","basedOn":"${word}"}`))).toEqual(["basedOn"]);
    expect(faults(JSON.parse(`{"name":"x","${word}":1}`))).toEqual([word]);
  });
});

test("shipped profiles read as what they are", () => {
  for (const [name, profile] of Object.entries(PROFILES))
    expect(readProfile(JSON.parse(JSON.stringify(profile)))).toEqual({
      ok: true,
      value: { ...profile, name },
    });
});
