/**
 * A parser as a picture: a card for each node, layers from left to right, keys in rows from which the edges leave,
 * encapsulations as loops below, other ways back named in their rows. Plain SVG with its styles inside, readable
 * on light and dark paper.
 */
import type { Parser } from "../../ir/types.ts";
import { type Card, cardsOf } from "./cards.ts";
import { type Edge, ENTRY, headHeight, type Layout, layOut, rowHeight, rowY, SIZE } from "./layout.ts";

/** Draw a parser. */
export function drawParser(parser: Parser): string {
  const cards = cardsOf(parser);
  const layout = layOut(cards, parser.root);
  const loops = layout.edges.filter((e) => e.loop && cards[e.from]!.kind === "encap");
  const lanes = lanesOf(loops, layout);
  const last = layout.columns[layout.columns.length - 1]!;
  const width = Math.ceil(Math.max(last.x + last.width + SIZE.margin + (loops.length > 0 ? 24 : 0), 640));
  const below = lanes.reduce((n, l) => Math.max(n, l + 1), 0);
  const height = Math.ceil(layout.bottom + (below > 0 ? 26 + LANE * below : 0) + SIZE.margin);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${harmless(parser.name)}</title>`,
    `<style>${STYLE}</style>`,
    `<defs>${marker("tip", "tip")}${marker("tipl", "tip loop")}</defs>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    `<text class="title" x="${SIZE.margin}" y="34">${harmless(parser.name)}</text>`,
    `<text class="note" x="${SIZE.margin}" y="53">${limits(parser)}</text>`,
    legend(cards),
    ...layout.edges.flatMap((e, i) => (e.loop ? [] : [forward(e, layout.through[i]!, cards, layout)])),
    ...loops.map((e, i) => loop(e, lanes[i]!, i, cards, layout)),
    ...cards.map((c, i) => box(c, i, i === parser.root, layout)),
    "</svg>",
    "",
  ].join("\n");
}

/** Distance of loops below. */
const LANE = 14;

const STYLE = /* @__PURE__ */ (() =>
  [
    "svg{font-family:system-ui,'DejaVu Sans',sans-serif}",
    ".paper{fill:#fff}.title{font-size:20px;font-weight:600;fill:#16233a}.note{font-size:11px;fill:#5a6b84}",
    ".card{stroke-width:1.2}.root{stroke-width:2.6}",
    ".header{fill:#eef3fb;stroke:#3d5a98}.overlay{fill:#f5f0fb;stroke:#7a5bb0}.encap{fill:#fdf3e4;stroke:#b7791f}.leaf{fill:#eaf6ee;stroke:#3c8c5a}.exit{fill:#f3f3f3;stroke:#7a7a7a}",
    ".name{font-size:13px;font-weight:600;fill:#16233a}.rule{stroke:#9fb0cb;stroke-width:.7}",
    ".key{font-size:11px;font-family:ui-monospace,'DejaVu Sans Mono',monospace;fill:#2b3c58}.to{font-size:11px;fill:#5a6b84}.back{fill:#9a5b2c}",
    ".edge{fill:none;stroke:#8193b2;stroke-width:1.2}.round{fill:none;stroke:#c27a1a;stroke-width:1.4;stroke-dasharray:6 3}",
    ".tip{fill:#8193b2}.loop{fill:#c27a1a}.port{fill:#8193b2}.portl{fill:#c27a1a}",
    "@media(prefers-color-scheme:dark){.paper{fill:#111824}.title,.name{fill:#e8eefa}.note,.to{fill:#9fb0cb}.key{fill:#c9d6ee}.back{fill:#e0a878}.header{fill:#1b2740}.overlay{fill:#272040}.encap{fill:#36290f}.leaf{fill:#162d1f}.exit{fill:#2a2a2a}.rule{stroke:#4a5c7d}}",
  ].join(""))();

function marker(id: string, style: string): string {
  return `<marker id="${id}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 .6L8 4L0 7.4z" class="${style}"/></marker>`;
}

function limits(p: Parser): string {
  const n = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
  const memory =
    p.frameSize === 0
      ? `${n(p.metametaSize, "byte")} of metadata`
      : `${n(p.metametaSize, "byte")} of metadata and ${n(p.frames, "frame")} of ${p.frameSize}`;
  return `at most ${n(p.maxNodes, "node")} and ${n(p.maxEncaps, "encapsulation")}; ${memory}`;
}

const LEGEND: readonly (readonly [Card["kind"], string])[] = [
  ["header", "header"],
  ["overlay", "looks, takes no bytes"],
  ["encap", "encapsulation"],
  ["leaf", "ends well"],
  ["exit", "exit node"],
];

function legend(cards: readonly Card[]): string {
  let x: number = SIZE.margin;
  return LEGEND.filter(([kind]) => cards.some((c) => c.kind === kind))
    .map(([kind, text]) => {
      const at = x;
      x += 34 + text.length * 6.4;
      return `<rect class="card ${kind}" x="${at}" y="63" width="13" height="11" rx="3"/><text class="note" x="${at + 18}" y="72">${text}</text>`;
    })
    .join("");
}

/** Depth below the cards of each loop: loops that share a stretch lie below each other, short ones above. */
function lanesOf(loops: readonly Edge[], layout: Layout): number[] {
  const span = (e: Edge): [number, number] => [layout.boxes[e.to]!.layer, layout.boxes[e.from]!.layer];
  const wide = loops
    .map((_, i) => i)
    .sort((a, b) => span(loops[a]!)[1] - span(loops[a]!)[0] - (span(loops[b]!)[1] - span(loops[b]!)[0]));
  const lanes = loops.map(() => -1);
  for (const i of wide) {
    const [from, to] = span(loops[i]!);
    let lane = 0;
    const taken = (l: number): boolean =>
      loops.some((o, j) => lanes[j] === l && span(o)[0] <= to && from <= span(o)[1]);
    while (taken(lane)) lane++;
    lanes[i] = lane;
  }
  return lanes;
}

const round = (n: number): number => Math.round(n * 10) / 10;

/** From a row's right end to a card's left, through the gaps of the layers between. */
function forward(e: Edge, through: readonly number[], cards: readonly Card[], layout: Layout): string {
  const [from, to] = [layout.boxes[e.from]!, layout.boxes[e.to]!];
  let x = from.x + from.width;
  let y = from.y + rowY(cards[e.from]!, e.row);
  let path = `M${round(x)} ${round(y)}`;
  const curve = (x2: number, y2: number): void => {
    const bend = (x2 - x) / 2;
    path += `C${round(x + bend)} ${round(y)} ${round(x2 - bend)} ${round(y2)} ${round(x2)} ${round(y2)}`;
    [x, y] = [x2, y2];
  };
  for (const [i, at] of through.entries()) {
    const column = layout.columns[from.layer + 1 + i]!;
    curve(column.x - 8, at);
    x = column.x + column.width + 8;
    path += `L${round(x)} ${round(at)}`;
  }
  curve(to.x, to.y + ENTRY);
  return `<path class="edge" d="${path}" marker-end="url(#tip)"/>`;
}

/** Right, down, back below all cards, up, and in from the left. */
function loop(e: Edge, lane: number, index: number, cards: readonly Card[], layout: Layout): string {
  const [from, to] = [layout.boxes[e.from]!, layout.boxes[e.to]!];
  const y1 = from.y + rowY(cards[e.from]!, e.row);
  const y2 = to.y + ENTRY + 9;
  const bottom = layout.bottom + 22 + LANE * lane;
  const x1 = from.x + from.width;
  const right = x1 + 14 + 5 * (index % 4);
  const left = to.x - 16 - 5 * (index % 3);
  const r = 7;
  const path = [
    `M${round(x1)} ${round(y1)}H${round(right - r)}q${r} 0 ${r} ${r}`,
    `V${round(bottom - r)}q0 ${r} ${-r} ${r}`,
    `H${round(left + r)}q${-r} 0 ${-r} ${-r}`,
    `V${round(y2 + r)}q0 ${-r} ${r} ${-r}H${round(to.x)}`,
  ].join("");
  return `<path class="round" d="${path}" marker-end="url(#tipl)"/>`;
}

function box(card: Card, index: number, root: boolean, layout: Layout): string {
  const { x, y, width, height } = layout.boxes[index]!;
  const out = [
    `<rect class="card ${card.kind}${root ? " root" : ""}" x="${round(x)}" y="${round(y)}" width="${width}" height="${height}" rx="8"/>`,
    `<text class="name" x="${round(x + 11)}" y="${round(y + 18)}">${harmless(card.name)}</text>`,
    ...card.notes.map(
      (n, i) =>
        `<text class="note" x="${round(x + 11)}" y="${round(y + 33 + SIZE.note * i)}">${harmless(n)}</text>`,
    ),
  ];
  if (card.rows.length > 0) {
    const line = round(y + headHeight(card) - 2);
    out.push(`<path class="rule" d="M${round(x + 8)} ${line}H${round(x + width - 8)}"/>`);
  }
  for (const [i] of card.rows.entries()) out.push(row(card, i, index, layout));
  return `<g>${out.join("")}</g>`;
}

function row(card: Card, i: number, index: number, layout: Layout): string {
  const { x, y, width } = layout.boxes[index]!;
  const { keys, says, to } = card.rows[i]!;
  const middle = y + rowY(card, i);
  const top = middle - rowHeight(card, i) / 2 + SIZE.rowGap + 11;
  const edge = layout.edges.find((e) => e.from === index && e.row === i);
  const back = edge?.loop === true;
  const out = keys.map(
    (k, n) =>
      `<text class="key" x="${round(x + 11)}" y="${round(top + SIZE.rowLine * n)}">${harmless(k)}</text>`,
  );
  const text = to >= 0 && back ? `↩ ${says}` : says;
  out.push(
    `<text class="to${back ? " back" : ""}" x="${round(x + width - 11)}" y="${round(middle + SIZE.rowGap / 2 + 4)}" text-anchor="end">${harmless(text)}</text>`,
  );
  if (edge !== undefined && (!back || card.kind === "encap"))
    out.push(
      `<circle class="port${back ? "l" : ""}" cx="${round(x + width)}" cy="${round(middle)}" r="2.4"/>`,
    );
  return out.join("");
}

function harmless(text: string): string {
  return text
    .replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
    .replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd]/g, "?");
}
