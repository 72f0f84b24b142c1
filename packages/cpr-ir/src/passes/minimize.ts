/**
 * Merge equal nodes.
 *
 * pre: a resolved parser. post: no two nodes can be told apart by the codes, metadata and limits of any
 * packet that reaches them; `minimized` is set, so that the canonical form records it. The names of merged
 * nodes are those of the first of each class; the result of a parse may therefore name another last node.
 */
import type { Edge, Next, ParseNode, Parser } from "../ir/types.ts";

/** Partition refinement: nodes start in classes by what they do, classes split by where they lead. */
export function minimize(parser: Parser): Parser {
  const own = parser.nodes.map((n) => JSON.stringify({ ...n, name: "", next: shape(n.next) }));
  let classes = number(own);
  for (let count = 0; ; ) {
    const distinct = new Set(classes).size;
    if (distinct === count) break;
    count = distinct;
    const now = classes;
    classes = number(parser.nodes.map((n, i) => `${now[i]} ${leads(n.next, (t) => now[t]!)}`));
  }
  return rebuild(parser, classes);
}

/** What a look-up does, apart from where it leads. */
function shape(next: Next | null): unknown {
  if (next === null) return null;
  return [next.select, next.table.map((e) => e.key), next.wildcard >= 0, next.default];
}

function leads(next: Next | null, classOf: (node: number) => number): string {
  if (next === null) return "";
  const targets = next.table.map((e) => classOf(e.node));
  return [...targets, next.wildcard < 0 ? -1 : classOf(next.wildcard)].join(",");
}

/** Equal texts get equal numbers, in order of first meeting. */
function number(texts: readonly string[]): number[] {
  const seen = new Map<string, number>();
  return texts.map((t) => {
    const known = seen.get(t);
    if (known !== undefined) return known;
    seen.set(t, seen.size);
    return seen.size - 1;
  });
}

/** One node for each class, numbered breadth first again. */
function rebuild(parser: Parser, classes: readonly number[]): Parser {
  const first = new Map<number, number>();
  for (const [i, c] of classes.entries()) if (!first.has(c)) first.set(c, i);
  const order: number[] = [];
  const index = new Map<number, number>();
  const meet = (node: number): number => {
    if (node < 0) return -1;
    const c = classes[node]!;
    let at = index.get(c);
    if (at === undefined) {
      at = order.length;
      index.set(c, at);
      order.push(first.get(c)!);
    }
    return at;
  };
  const root = meet(parser.root);
  const nodes: ParseNode[] = [];
  const walk = (): void => {
    while (nodes.length < order.length) {
      const n = parser.nodes[order[nodes.length]!]!;
      nodes.push({ ...n, next: n.next === null ? null : moved(n.next, meet) });
    }
  };
  walk();
  const [okayTarget, failTarget, encapTarget] = [
    parser.okayTarget,
    parser.failTarget,
    parser.encapTarget,
  ].map(meet) as [number, number, number];
  walk();
  return { ...parser, root, okayTarget, failTarget, encapTarget, nodes, minimized: true };
}

function moved(next: Next, meet: (node: number) => number): Next {
  const table: Edge[] = next.table.map((e) => ({ key: e.key, node: meet(e.node) }));
  return { ...next, table, wildcard: meet(next.wildcard) };
}
