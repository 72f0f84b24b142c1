/** The picture of a parser: well-formed, every node and key in it, nothing over anything else, names made harmless. */
import { drawParser, orThrow, type Parser, parser, SHIPPED_PARSERS, shippedParser } from "@netoffload/cpr-ir";
import { describe, expect, test } from "vitest";
import { RARE_PARSERS } from "../helpers/parsers.ts";

/** Elements open and close in order; attributes are quoted. */
function wellFormed(svg: string): boolean {
  const open: string[] = [];
  for (const [, close, name, rest] of svg.matchAll(/<(\/?)([a-z]+)((?:\s[\w:-]+="[^"<>]*")*\s*\/?)>/gi))
    if (close === "/") {
      if (open.pop() !== name) return false;
    } else if (!rest!.endsWith("/")) open.push(name!);
  return open.length === 0 && !/<(?![/a-z])/i.test(svg);
}

interface Rect {
  readonly x: number;
  readonly y: number;
  readonly right: number;
  readonly bottom: number;
}

/** Rectangles of an element's attributes. */
const rect = (tag: string): Rect => {
  const at = (name: string): number => Number(new RegExp(`\\s${name}="([\\d.-]+)"`).exec(tag)![1]);
  return { x: at("x"), y: at("y"), right: at("x") + at("width"), bottom: at("y") + at("height") };
};

/** A text's extent with the widest of the usual fonts, by its class: pixels a character. */
const WIDE: Readonly<Record<string, number>> = { name: 9, note: 6.4, key: 6.65, to: 6.4, "to back": 6.4 };
function extent(tag: string): Rect {
  const [, style, x, y, end, text] =
    /^<text class="([a-z ]+)" x="([\d.-]+)" y="([\d.-]+)"( text-anchor="end")?>([^<]*)</.exec(tag)!;
  const width = text!.replace(/&#\d+;/g, "?").length * WIDE[style!]!;
  const left = end === undefined ? Number(x) : Number(x) - width;
  return { x: left, right: left + width, y: Number(y) - 8, bottom: Number(y) + 2 };
}

const apart = (a: Rect, b: Rect): boolean =>
  a.right <= b.x || b.right <= a.x || a.bottom <= b.y || b.bottom <= a.y;
const inside = (a: Rect, b: Rect): boolean =>
  a.x >= b.x && a.right <= b.right && a.y >= b.y && a.bottom <= b.bottom;

/** Every two of a list. */
function pairs<T>(list: readonly T[]): [T, T][] {
  return list.flatMap((a, i) => list.slice(i + 1).map((b): [T, T] => [a, b]));
}

const ALL: [string, Parser][] = [
  ...(Object.keys(SHIPPED_PARSERS) as (keyof typeof SHIPPED_PARSERS)[]).map((n): [string, Parser] => [
    n,
    shippedParser(n),
  ]),
  ["big_ip", shippedParser("big", "big_ip")],
  ...Object.entries(RARE_PARSERS),
];

describe.each(ALL)("%s", (_name, of) => {
  const svg = drawParser(of);
  const groups = [...svg.matchAll(/<g>(.*?)<\/g>/g)].map((m) => m[1]!);
  const paper = rect(/<rect class="paper" [^>]*>/.exec(svg)![0].replace('paper"', 'paper" x="0" y="0"'));

  test("is whole: a card for each node, all keys, what is counted", () => {
    expect(wellFormed(svg)).toBe(true);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(groups).toHaveLength(of.nodes.length);
    const keys = new Set(
      [...svg.matchAll(/class="key"[^>]*>([^<]*)</g)].flatMap((m) => m[1]!.split(/, ?/)).map(Number),
    );
    for (const n of of.nodes) {
      expect(svg).toContain(`>${n.name}</text>`);
      for (const e of n.next?.table ?? []) expect(keys).toContain(e.key);
    }
    expect(svg).toContain(`at most ${of.maxNodes} node`);
  });

  test("no card lies on another, no text on another or beyond its card", () => {
    const cards = groups.map((g) => rect(/<rect [^>]*>/.exec(g)![0]));
    for (const [a, b] of pairs(cards)) expect(apart(a, b)).toBe(true);
    for (const [i, g] of groups.entries()) {
      expect(inside(cards[i]!, paper)).toBe(true);
      const texts = [...g.matchAll(/<text [^>]*>[^<]*</g)].map((m) => extent(m[0]));
      for (const t of texts) expect(inside(t, cards[i]!), g).toBe(true);
      for (const [a, b] of pairs(texts)) expect(apart(a, b), g).toBe(true);
    }
  });

  test("encapsulations are loops below all cards", () => {
    const rounds = [...svg.matchAll(/<path class="round" d="([^"]*)"/g)];
    const bottom = Math.max(...groups.map((g) => rect(/<rect [^>]*>/.exec(g)![0]).bottom));
    for (const [, d] of rounds) {
      const deepest = Math.max(...[...d!.matchAll(/V([\d.]+)/g)].map((m) => Number(m[1])));
      expect(deepest).toBeGreaterThan(bottom);
    }
    if (of.name === "big") expect(rounds.length).toBe(6);
  });
});

test("names from strangers cannot leave their text", () => {
  const of = orThrow(parser('<script>"&').node("</svg><b>", { "min-hdr-length": 0 }).build());
  const svg = drawParser(of);
  expect(wellFormed(svg)).toBe(true);
  expect(svg).not.toContain("<script>");
});
