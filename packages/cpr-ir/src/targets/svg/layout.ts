/**
 * Where the cards lie: layers from left to right by the longest way from the root, edges that cross a layer led
 * through a gap of it, the order within a layer by what lies before and behind, and heights by the same.
 */
import type { Card } from "./cards.ts";

/** An edge between cards. */
export interface Edge {
  readonly from: number;
  /** Row of the card it leaves from. */
  readonly row: number;
  readonly to: number;
  /** Against the direction of the layers. */
  readonly loop: boolean;
}

/** A card's place. */
export interface Box {
  readonly layer: number;
  x: number;
  y: number;
  readonly width: number;
  readonly height: number;
}

/** A finished layout. */
export interface Layout {
  readonly boxes: readonly Box[];
  readonly edges: readonly Edge[];
  /** Heights at which an edge crosses the layers between its ends, by the edge's index. */
  readonly through: readonly (readonly number[])[];
  /** Left edge and width of each layer. */
  readonly columns: readonly { readonly x: number; readonly width: number }[];
  readonly bottom: number;
}

/** Sizes that drawing and layout share, pixels. */
export const SIZE = {
  margin: 32,
  head: 92,
  gapX: 92,
  gapY: 22,
  /** Of a card: above its first row, a line of a row, below the last. */
  title: 24,
  note: 14,
  rowLine: 15,
  rowGap: 3,
  foot: 7,
  /** An edge that passes through a layer. */
  lane: 12,
} as const;

/** Height of a card's middle of a row, from its top. */
export function rowY(card: Card, row: number): number {
  let y = headHeight(card);
  for (let i = 0; i < row; i++) y += rowHeight(card, i);
  return y + rowHeight(card, row) / 2;
}

/** Height of one row. */
export function rowHeight(card: Card, row: number): number {
  return SIZE.rowGap + SIZE.rowLine * Math.max(1, card.rows[row]!.keys.length);
}

/** Height of name and notes. */
export function headHeight(card: Card): number {
  return SIZE.title + SIZE.note * card.notes.length + (card.rows.length > 0 ? 8 : 0);
}

function cardHeight(card: Card): number {
  const rows = card.rows.reduce((n, _, i) => n + rowHeight(card, i), 0);
  return headHeight(card) + rows + SIZE.foot;
}

/** Estimated widths of text: wide enough for any usual font. */
function cardWidth(card: Card): number {
  const rows = card.rows.map((r) => {
    const keys = Math.max(0, ...r.keys.map((k) => k.length)) * 6.9;
    return 20 + keys + (r.says === "" ? 0 : 14 + r.says.length * 6.6);
  });
  return Math.ceil(
    Math.max(
      96,
      24 + card.name.length * 9.2,
      ...card.notes.map((n) => 22 + n.length * 6.5),
      ...rows.map((w) => w + 8),
    ),
  );
}

/** One thing in a layer: a card (its index) or an edge that passes. */
interface Item {
  readonly card: number;
  readonly edge: number;
  readonly height: number;
  y: number;
}

/** Lay out. */
export function layOut(cards: readonly Card[], root: number): Layout {
  const edges = edgesOf(cards, root);
  const layer = layersOf(cards, edges, root);
  const layers = itemsOf(cards, edges, layer);
  const links = linksOf(cards, edges, layer, layers);
  order(layers, links);
  place(layers, links);
  const columns = columnsOf(cards, layers);
  const boxes = cards.map(
    (c, i): Box => ({
      layer: layer[i]!,
      x: 0,
      y: 0,
      width: columns[layer[i]!]!.width,
      height: cardHeight(c),
    }),
  );
  const through = edges.map((): number[] => []);
  let bottom = 0;
  for (const [l, items] of layers.entries())
    for (const item of items) {
      if (item.card >= 0) {
        boxes[item.card]!.x = columns[l]!.x;
        boxes[item.card]!.y = item.y;
      } else through[item.edge]!.push(item.y + item.height / 2);
      bottom = Math.max(bottom, item.y + item.height);
    }
  return { boxes, edges, through, columns, bottom };
}

/**
 * Edges of all rows. A loop leads to a card that is no farther from the root and from which there is a way back:
 * an encapsulation, a list of extension headers.
 */
function edgesOf(cards: readonly Card[], root: number): Edge[] {
  const distance = distances(cards, root);
  const reached = new Map<number, readonly number[]>();
  const leadsTo = (from: number, to: number): boolean => {
    if (!reached.has(from)) reached.set(from, distances(cards, from));
    return reached.get(from)![to]! >= 0;
  };
  return cards.flatMap((c, from) =>
    c.rows.flatMap((r, row) => {
      if (r.to < 0) return [];
      const loop = distance[r.to]! <= distance[from]! && leadsTo(r.to, from);
      return [{ from, row, to: r.to, loop }];
    }),
  );
}

/** Rows from a card to each, by the shortest way; -1: none. */
function distances(cards: readonly Card[], from: number): number[] {
  const out = cards.map(() => -1);
  out[from] = 0;
  const queue = [from];
  for (const at of queue)
    for (const { to } of cards[at]!.rows)
      if (to >= 0 && out[to] === -1) {
        out[to] = out[at]! + 1;
        queue.push(to);
      }
  return out;
}

/** The longest way from the root without loops; what is not on one stands last. */
function layersOf(cards: readonly Card[], edges: readonly Edge[], root: number): number[] {
  const layer = cards.map(() => -1);
  layer[root] = 0;
  for (let round = 0, changed = true; changed && round <= cards.length; round++) {
    changed = false;
    for (const e of edges) {
      if (e.loop || layer[e.from]! < 0 || layer[e.to]! > layer[e.from]!) continue;
      layer[e.to] = layer[e.from]! + 1;
      changed = true;
    }
  }
  const last = Math.max(...layer) + 1;
  return layer.map((l) => (l < 0 ? last : l));
}

function itemsOf(cards: readonly Card[], edges: readonly Edge[], layer: readonly number[]): Item[][] {
  const layers: Item[][] = Array.from({ length: Math.max(...layer) + 1 }, () => []);
  for (const [card, c] of cards.entries())
    layers[layer[card]!]!.push({ card, edge: -1, height: cardHeight(c), y: 0 });
  for (const [edge, e] of edges.entries())
    if (!e.loop)
      for (let l = layer[e.from]! + 1; l < layer[e.to]!; l++)
        layers[l]!.push({ card: -1, edge, height: SIZE.lane, y: 0 });
  return layers;
}

/** A piece of an edge between neighbouring layers: from an item (and how far below its top) to an item. */
interface Link {
  readonly from: Item;
  readonly out: number;
  readonly to: Item;
  readonly into: number;
}

function linksOf(
  cards: readonly Card[],
  edges: readonly Edge[],
  layer: readonly number[],
  layers: readonly Item[][],
): Link[][] {
  const links: Link[][] = layers.map(() => []);
  const cardItem = new Map(
    layers.flatMap((items) => items.filter((i) => i.card >= 0).map((i) => [i.card, i])),
  );
  for (const [index, e] of edges.entries()) {
    if (e.loop) continue;
    let from = cardItem.get(e.from)!;
    let out = rowY(cards[e.from]!, e.row);
    for (let l = layer[e.from]! + 1; l <= layer[e.to]!; l++) {
      const passes = l < layer[e.to]!;
      const to = passes ? layers[l]!.find((i) => i.edge === index)! : cardItem.get(e.to)!;
      links[l - 1]!.push({ from, out, to, into: passes ? SIZE.lane / 2 : ENTRY });
      from = to;
      out = SIZE.lane / 2;
    }
  }
  return links;
}

/** Where edges reach a card, below its top. */
export const ENTRY = 16;

/** Sort each layer by the middle of what its items are linked to, to and fro. */
function order(layers: Item[][], links: readonly Link[][]): void {
  const spread = (): void => {
    for (const items of layers) {
      let y = 0;
      for (const i of items) {
        i.y = y;
        y += i.height + SIZE.gapY;
      }
    }
  };
  spread();
  for (let round = 0; round < 12; round++) {
    const forth = round % 2 === 0;
    const sequence = layers.map((_, i) => (forth ? i : layers.length - 1 - i));
    for (const l of sequence) {
      const pull = new Map<Item, number[]>();
      for (const k of (forth ? links[l - 1] : links[l]) ?? []) {
        const [item, at] = forth ? [k.to, k.from.y + k.out] : [k.from, k.to.y + k.into - k.out];
        pull.set(item, [...(pull.get(item) ?? []), at]);
      }
      const wanted = new Map(layers[l]!.map((i) => [i, middle(pull.get(i) ?? [i.y])]));
      layers[l]!.sort((a, b) => wanted.get(a)! - wanted.get(b)!);
      spread();
    }
  }
}

function middle(values: readonly number[]): number {
  return values.reduce((n, v) => n + v, 0) / values.length;
}

/** Heights: each item as near to what it is linked to as its neighbours allow. */
function place(layers: readonly Item[][], links: readonly Link[][]): void {
  for (let round = 0; round < 8; round++) {
    const forth = round % 2 === 0;
    for (let n = 0; n < layers.length; n++) {
      const l = forth ? n : layers.length - 1 - n;
      const pull = new Map<Item, number[]>();
      for (const k of (forth ? links[l - 1] : links[l]) ?? []) {
        const [item, at] = forth ? [k.to, k.from.y + k.out - k.into] : [k.from, k.to.y + k.into - k.out];
        pull.set(item, [...(pull.get(item) ?? []), at]);
      }
      settle(layers[l]!, (i) => pull.get(i));
    }
  }
  const top = Math.min(...layers.flatMap((items) => items.map((i) => i.y)));
  for (const items of layers) for (const i of items) i.y += SIZE.head - top;
}

/** Least squares under an order: neighbours that would overlap move as one block. */
function settle(items: readonly Item[], pull: (i: Item) => readonly number[] | undefined): void {
  const blocks: { sum: number; weight: number; items: { item: Item; offset: number }[] }[] = [];
  let offset = 0;
  for (const [n, item] of items.entries()) {
    const wanted = pull(item);
    const weight = wanted === undefined ? 0.05 : wanted.length * (item.card < 0 ? 3 : 1);
    const at = (wanted === undefined ? item.y : middle(wanted)) - offset;
    blocks.push({ sum: at * weight, weight, items: [{ item, offset }] });
    while (blocks.length > 1) {
      const [a, b] = [blocks[blocks.length - 2]!, blocks[blocks.length - 1]!];
      if (a.sum / a.weight <= b.sum / b.weight) break;
      a.sum += b.sum;
      a.weight += b.weight;
      a.items.push(...b.items);
      blocks.pop();
    }
    const next = items[n + 1];
    offset += item.height + (item.card < 0 && next !== undefined && next.card < 0 ? 2 : SIZE.gapY);
  }
  for (const b of blocks) for (const { item, offset: o } of b.items) item.y = b.sum / b.weight + o;
}

function columnsOf(cards: readonly Card[], layers: readonly Item[][]): { x: number; width: number }[] {
  let x: number = SIZE.margin;
  return layers.map((items) => {
    const width = Math.max(0, ...items.filter((i) => i.card >= 0).map((i) => cardWidth(cards[i.card]!)));
    const column = { x, width };
    x += width + SIZE.gapX;
    return column;
  });
}
