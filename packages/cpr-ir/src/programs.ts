/** The parsers that come with the package. */
import big from "../programs/big.json" with { type: "json" };
import fiveTuple from "../programs/five-tuple.json" with { type: "json" };
import flowDissector from "../programs/flow-dissector.json" with { type: "json" };
import ports from "../programs/ports.json" with { type: "json" };
import { orThrow } from "./diagnostics.ts";
import type { CprDocument } from "./ir/document.ts";
import type { Parser } from "./ir/types.ts";
import { parserOf } from "./json/load.ts";

/** Documents of the shipped parsers by name; the files lie in `programs/`. */
export const SHIPPED_PARSERS: Readonly<
  Record<"big" | "five-tuple" | "flow-dissector" | "ports", CprDocument>
> = {
  big: big as unknown as CprDocument,
  "five-tuple": fiveTuple as unknown as CprDocument,
  "flow-dissector": flowDissector as unknown as CprDocument,
  ports: ports as unknown as CprDocument,
};

/** A shipped parser, resolved. `big` holds a second one, `big_ip`, that starts at the IP header. */
export function shippedParser(name: keyof typeof SHIPPED_PARSERS, parser?: string): Parser {
  return orThrow(parserOf(SHIPPED_PARSERS[name], parser === undefined ? {} : { parser }));
}
