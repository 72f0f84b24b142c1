/**
 * A parser as a picture: layers from left to right, keys on the edges, encapsulations dashed, edges back as arcs
 * below. Plain SVG with its styles inside, readable on light and dark paper.
 */
import { codeName } from "../../ir/codes.ts";
import type { ParseNode, Parser } from "../../ir/types.ts";

const BOX = { width: 132, height: 44, gapX: 96, gapY: 26, margin: 28, head: 64 } as const;

interface Place {
  readonly x: number;
  readonly y: number;
}

/** Draw a parser. */
export function drawParser(parser: Parser): string {
  const layers = layersOf(parser);
  const rows = Math.max(...layers.map((l) => l.length));
  const places = placesOf(parser, layers, rows);
  const edges = edgesOf(parser);
  const back = edges.filter((e) => places[e.to]!.x <= places[e.from]!.x).length;
  const width = 2 * BOX.margin + layers.length * BOX.width + (layers.length - 1) * BOX.gapX;
  const body = BOX.head + rows * (BOX.height + BOX.gapY);
  const height = body + 30 + 12 * back + BOX.margin;
  let lane = 0;
  const lines = edges.map((e) => {
    const [from, to] = [places[e.from]!, places[e.to]!];
    return to.x > from.x ? forward(e, from, to) : backward(e, from, to, body + 12 + 12 * lane++);
  });
  const boxes = parser.nodes.map((n, i) => box(n, places[i]!, i === parser.root, badge(parser, i)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${harmless(parser.name)}</title>`,
    `<style>${STYLE}</style>`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>',
    `<rect class="paper" width="${width}" height="${height}"/>`,
    `<text class="title" x="${BOX.margin}" y="30">${harmless(parser.name)}</text>`,
    `<text class="note" x="${BOX.margin}" y="48">${limits(parser)}</text>`,
    ...lines,
    ...boxes,
    "</svg>",
    "",
  ].join("\n");
}

const STYLE = [
  "svg{font-family:system-ui,sans-serif}",
  ".paper{fill:#fff}.title{font-size:18px;font-weight:600;fill:#1b2a41}.note,.small{font-size:11px;fill:#5a6b84}",
  ".box{fill:#eef3fb;stroke:#3d5a98;stroke-width:1.2}.leaf{fill:#eaf6ee;stroke:#3c8c5a}.encap{fill:#fdf3e4;stroke:#b7791f;stroke-dasharray:5 3}.overlay{fill:#f6f2fb;stroke:#7a5bb0}.exit{fill:#f1f1f1;stroke:#777}",
  ".root{stroke-width:2.6}.name{font-size:13px;font-weight:600;fill:#1b2a41}",
  ".edge{fill:none;stroke:#8896ad;stroke-width:1.1}.back{stroke:#c47f5a}.tip{fill:#8896ad}.key{font-size:9.5px;fill:#44546c;paint-order:stroke;stroke:#fff;stroke-width:3px}",
  "@media(prefers-color-scheme:dark){.paper{fill:#131a26}.title,.name{fill:#e8eefa}.note,.small{fill:#9fb0cb}.box{fill:#1d2a44}.leaf{fill:#17301f}.encap{fill:#3a2b12}.overlay{fill:#2a2140}.exit{fill:#2a2a2a}.key{fill:#b9c7de;stroke:#131a26}}",
].join("");

function limits(p: Parser): string {
  return `up to ${p.maxNodes} nodes, ${p.maxEncaps} encapsulations; metadata ${p.metametaSize} + ${p.frames} x ${p.frameSize} bytes`;
}

/** Nodes by their distance from the root; exit nodes last. */
function layersOf(parser: Parser): number[][] {
  const depth: number[] = parser.nodes.map(() => -1);
  depth[parser.root] = 0;
  const queue = [parser.root];
  for (let i = 0; i < queue.length; i++)
    for (const to of targets(parser.nodes[queue[i]!]!))
      if (depth[to] === -1) {
        depth[to] = depth[queue[i]!]! + 1;
        queue.push(to);
      }
  const last = Math.max(...depth) + 1;
  const layers: number[][] = [];
  for (const [i, d] of depth.entries()) (layers[d === -1 ? last : d] ??= []).push(i);
  return layers;
}

function placesOf(parser: Parser, layers: readonly number[][], rows: number): Place[] {
  const places: Place[] = parser.nodes.map(() => ({ x: 0, y: 0 }));
  for (const [x, layer] of layers.entries())
    for (const [y, node] of layer.entries())
      places[node] = {
        x: BOX.margin + x * (BOX.width + BOX.gapX),
        // each layer is centred
        y: BOX.head + (y + (rows - layer.length) / 2) * (BOX.height + BOX.gapY),
      };
  return places;
}

interface Drawn {
  readonly from: number;
  readonly to: number;
  /** Keys that lead there. */
  readonly label: string;
}

function targets(node: ParseNode): number[] {
  if (node.next === null) return [];
  return [...node.next.table.map((e) => e.node), ...(node.next.wildcard < 0 ? [] : [node.next.wildcard])];
}

/** One edge for each pair of nodes, all its keys on it. */
function edgesOf(parser: Parser): Drawn[] {
  return parser.nodes.flatMap((node, from) => {
    const keys = new Map<number, string[]>();
    const add = (to: number, label: string): void => void keys.set(to, [...(keys.get(to) ?? []), label]);
    for (const e of node.next?.table ?? [])
      add(e.node, e.key > 0xff ? `0x${e.key.toString(16)}` : String(e.key));
    if (node.next !== null && node.next.wildcard >= 0)
      add(node.next.wildcard, node.next.table.length > 0 ? "else" : "");
    return [...keys].map(([to, labels]) => ({ from, to, label: labels.join(", ") }));
  });
}

function forward(e: Drawn, from: Place, to: Place): string {
  const [x1, y1] = [from.x + BOX.width, from.y + BOX.height / 2];
  const [x2, y2] = [to.x, to.y + BOX.height / 2];
  const bend = Math.max(30, (x2 - x1) / 2);
  const path = `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
  return line(path, "edge", e.label, x2 - 8, y2 - 4, "end");
}

function backward(e: Drawn, from: Place, to: Place, lane: number): string {
  const [x1, y1] = [from.x + BOX.width / 2, from.y + BOX.height];
  const [x2, y2] = [to.x + BOX.width / 2, to.y + BOX.height];
  const path = `M${x1} ${y1}C${x1} ${lane} ${x1} ${lane} ${(x1 + x2) / 2} ${lane}S${x2} ${lane} ${x2} ${y2}`;
  return line(path, "edge back", e.label, (x1 + x2) / 2, lane - 2, "middle");
}

function line(path: string, style: string, label: string, x: number, y: number, anchor: string): string {
  const text =
    label === ""
      ? ""
      : `<text class="key" x="${x}" y="${y}" text-anchor="${anchor}">${harmless(label)}</text>`;
  return `<path class="${style}" d="${path}" marker-end="url(#arrow)"/>${text}`;
}

/** What the small line of a box says. */
function badge(parser: Parser, index: number): string {
  if ([parser.okayTarget, parser.failTarget, parser.encapTarget].includes(index)) return "exit node";
  const node = parser.nodes[index]!;
  const length = {
    min: `${node.minLen} bytes`,
    rest: "to the end",
    amount: `${node.minLen}+ bytes`,
    flags: `${node.minLen}+ bytes, flags`,
  }[node.hdrLen.kind];
  const miss =
    node.next === null || node.next.wildcard >= 0
      ? ""
      : `, else ${codeName(node.next.default).toLowerCase()}`;
  const what = node.overlay ? "overlay" : length;
  return `${what}${node.encap ? ", encap" : ""}${miss.replace("stop_unknown_proto", "unknown")}`;
}

function box(node: ParseNode, at: Place, root: boolean, small: string): string {
  const kind =
    small === "exit node"
      ? "exit"
      : node.encap
        ? "encap"
        : node.overlay
          ? "overlay"
          : node.next === null
            ? "leaf"
            : "";
  const tip = `<title>${harmless(`${node.name}: ${small}`)}</title>`;
  const shape = `<rect class="box ${kind}${root ? " root" : ""}" x="${at.x}" y="${at.y}" width="${BOX.width}" height="${BOX.height}" rx="7"/>`;
  const middle = at.x + BOX.width / 2;
  const name = `<text class="name" x="${middle}" y="${at.y + 19}" text-anchor="middle">${harmless(node.name.slice(0, 18))}</text>`;
  const note = `<text class="small" x="${middle}" y="${at.y + 34}" text-anchor="middle">${harmless(small.slice(0, 24))}</text>`;
  return `<g>${tip}${shape}${name}${note}</g>`;
}

function harmless(text: string): string {
  return text
    .replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
    .replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd]/g, "?");
}
