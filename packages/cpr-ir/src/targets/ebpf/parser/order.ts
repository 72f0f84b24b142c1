/** The order in which nodes are written, and the edges that close loops. */
import type { ParseNode, Parser } from "../../../ir/types.ts";

/** A graph as the compiler walks it. */
export interface NodeOrder {
  /** Nodes that a packet may come to, each behind all that lead to it but for edges back. */
  readonly order: readonly number[];
  /** True for an edge that closes a loop. */
  isBack(from: number, to: number): boolean;
}

/** Nodes a node leads to, the ways that are rare last. */
function successors(node: ParseNode): number[] {
  if (node.next === null) return [];
  const all = node.next.table.map((e) => e.node);
  if (node.next.wildcard >= 0) all.push(node.next.wildcard);
  return [...new Set(all)];
}

/** Walk depth first from the root. */
export function orderNodes(parser: Parser): NodeOrder {
  const back = new Set<number>();
  const state = new Uint8Array(parser.nodes.length);
  const done: number[] = [];
  const key = (from: number, to: number): number => from * parser.nodes.length + to;
  const stack: { node: number; todo: number[] }[] = [];
  const enter = (node: number): void => {
    state[node] = 1;
    stack.push({ node, todo: successors(parser.nodes[node]!) });
  };
  enter(parser.root);
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const next = top.todo.pop();
    if (next === undefined) {
      state[top.node] = 2;
      done.push(top.node);
      stack.pop();
    } else if (state[next] === 1) back.add(key(top.node, next));
    else if (state[next] === 0) enter(next);
  }
  return { order: done.reverse(), isBack: (from, to) => back.has(key(from, to)) };
}
