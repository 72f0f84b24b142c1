/** Flag fields and arrays as states. */
import { CODE } from "../../ir/codes.ts";
import type { Elements, Flags } from "../../ir/types.ts";
import type { HeaderLayout } from "./layout.ts";
import { emitActions } from "./metadata.ts";
import { advance, type Ends } from "./node.ts";
import type { Flow } from "./program.ts";
import { amountText, failing, literal, loadValue, type Unit, widen } from "./values.ts";

/** Optional fields: present ones lie one behind the other. */
export function emitFlags(flow: Flow, body: Flags, unit: Unit, ends: Ends): void {
  const { program, stem } = flow;
  const at = program.local("at");
  const flags = program.local("flags");
  const size = program.local("size");
  flow.add(`${flags} = ${widen(loadValue(program, body.load, unit))};`, `${at} = off + ${body.start};`);
  for (const [i, field] of body.fields.entries()) {
    const present = program.name(`${stem}_field${i}`);
    const next = program.name(`${stem}_past${i}`);
    flow.select(
      [`${flags} & ${literal(field.mask)}`],
      [`${literal(field.flag)}: ${present};`, `default: ${next};`],
    );
    flow.begin(present);
    if (field.node >= 0) {
      const node = program.parser.subNodes[field.node]!;
      const header = program.layouts.header(`field ${field.node} ${field.len}`, node.name, field.len);
      flow.branch([[`${at} + ${field.len} > off + len`, ends.end(CODE.STOP_LENGTH)]], "read");
      look(flow, header, at);
      flow.add(`${size} = ${field.len};`);
      const inner: Unit = { at, length: size, header };
      const failed = (code: number): string | null =>
        code === CODE.OKAY ? null : ends.end(CODE.STOP_COMPARE);
      flow.branch(failing(program, node.checks, inner, failed), "checked");
      emitActions(flow, node.actions, inner);
    }
    flow.add(`${at} = ${at} + ${field.len};`);
    flow.label(next);
  }
  flow.jump(ends.done);
}

/** Go there and read without consuming. */
function look(flow: Flow, header: HeaderLayout, at: string): void {
  flow.add(...advance(at));
  if (header.used) flow.add(`hdr.${header.member} = pkt.lookahead<${header.type}>();`);
}

/** Elements of one size: a cycle of states. */
export function emitElements(flow: Flow, body: Elements, unit: Unit, ends: Ends): void {
  const { program, stem } = flow;
  const [at, left, size] = [program.local("at"), program.local("left"), program.local("size")];
  const loop = program.name(`${stem}_elements`);
  const next = program.name(`${stem}_next_element`);
  flow.add(`${left} = ${amountText(program, body.count, unit)};`, `${at} = off + ${body.start};`);
  flow.branch([[`${left} > ${body.maxEls}`, ends.end(CODE.STOP_LOOP_CNT)]], "counted");
  flow.label(loop);
  flow.branch(
    [
      [`${left} == 0`, ends.done],
      [`${at} + ${body.elLen} > off + len`, ends.end(CODE.STOP_LENGTH)],
    ],
    "element",
  );
  const header = program.layouts.header(
    `array ${stem}`,
    `${stem.replace(/^parse_/, "")}_element`,
    body.elLen,
  );
  look(flow, header, at);
  flow.add(`${size} = ${body.elLen};`);
  const inner: Unit = { at, length: size, header };
  const handlers = new Map<number, string>();
  const target = (node: number): string => {
    if (node < 0) return body.default === CODE.OKAY ? next : ends.end(body.default);
    let name = handlers.get(node);
    if (name === undefined) {
      name = program.name(`${stem}_${program.parser.subNodes[node]!.name.replaceAll(/\W/g, "_")}`);
      handlers.set(node, name);
    }
    return name;
  };
  const key = body.type === null ? "32w0" : loadValue(program, body.type, inner).text;
  flow.select(
    [key],
    [...body.table.map((e) => `${literal(e.key)}: ${target(e.node)};`), `default: ${target(body.wildcard)};`],
  );
  for (const [index, name] of handlers) {
    const node = program.parser.subNodes[index]!;
    flow.begin(name);
    const failed = (code: number): string | null => (code === CODE.OKAY ? null : ends.end(code));
    flow.branch(failing(program, node.checks, inner, failed), "checked");
    emitActions(flow, node.actions, inner);
    flow.jump(next);
  }
  flow.begin(next);
  flow.add(`${left} = ${left} - 1;`, `${at} = ${at} + ${body.elLen};`);
  flow.jump(loop);
}
