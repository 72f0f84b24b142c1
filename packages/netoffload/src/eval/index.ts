/** `eval`: every helper by its kernel name, one input after the other. */
import { CsumError } from "@netoffload/csum";
import { SkbuffError } from "@netoffload/skbuff";
import { ARITH_OPS } from "./arith-ops.ts";
import { FEATURE_OPS } from "./feature-ops.ts";
import { FieldError, Fields } from "./fields.ts";
import { newWorkbench, type Op, type Workbench } from "./op.ts";
import { RX_OPS } from "./rx-ops.ts";
import { TX_OPS } from "./tx-ops.ts";

export type { Op } from "./op.ts";

/** All ops. */
export const OPS: readonly Op[] = [...ARITH_OPS, ...TX_OPS, ...RX_OPS, ...FEATURE_OPS];

/** An answer or the fault that stands in its place. */
export type EvalAnswer =
  | {
      readonly ok: true;
      readonly result: Readonly<Record<string, unknown>>;
      readonly ignored: readonly string[];
    }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** Evaluates inputs in a memory of its own. */
export class Evaluator {
  readonly #bench: Workbench = newWorkbench();
  readonly #ops: ReadonlyMap<string, Op> = new Map(OPS.map((op) => [op.name, op]));

  /** @param value - `{"op":"csum_replace2","input":{...}}`; nothing in it throws */
  evaluate(value: Readonly<Record<string, unknown>>): EvalAnswer {
    const { op: name, input = {} } = value;
    const op = typeof name === "string" ? this.#ops.get(name) : undefined;
    if (op === undefined)
      return {
        ok: false,
        code: "op",
        message: `op ${JSON.stringify(name) ?? "is missing"}: one that 'netoffload eval --list' prints is needed`,
      };
    if (typeof input !== "object" || input === null || Array.isArray(input))
      return { ok: false, code: "input", message: "input: an object is needed" };
    const fields = new Fields(input as Record<string, unknown>, "input");
    try {
      const result = op.run(fields, this.#bench);
      return { ok: true, result, ignored: fields.unread() };
    } catch (error) {
      if (error instanceof FieldError) return { ok: false, code: "input", message: error.message };
      // where the kernel would stop with BUG
      if (error instanceof CsumError || error instanceof SkbuffError)
        return { ok: false, code: error.code, message: error.message };
      throw error;
    }
  }
}
