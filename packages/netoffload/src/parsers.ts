/** Parsers by the names of those that ship, and the one that a device's kernel runs. */
import { loadParser, orThrow, type Parser, SHIPPED_PARSERS, shippedParser } from "@netoffload/cpr-ir";

/** What the kernel parses with unless a device's record says otherwise. */
export const KERNEL_PARSER = "flow-dissector";

/** Names of the shipped parsers. */
export const PARSER_NAMES: readonly string[] = Object.keys(SHIPPED_PARSERS);

/** A shipped parser; undefined: none has that name. */
export function parserByName(name: string): Parser | undefined {
  return Object.hasOwn(SHIPPED_PARSERS, name)
    ? shippedParser(name as keyof typeof SHIPPED_PARSERS)
    : undefined;
}

/** The kernel's parser of a device. @param kept - a shipped one's name, or its text; absent: {@link KERNEL_PARSER} */
export function kernelParser(kept: string = KERNEL_PARSER): Parser {
  return parserByName(kept) ?? orThrow(loadParser(kept));
}
