/** The canonical form of random parsers: one for all spellings, and what it says runs as the parser does. */
import { expect, test } from "vitest";
import { orThrow } from "../../src/diagnostics.ts";
import { canonicalText, hashParser } from "../../src/hash/canonical.ts";
import { loadParser, parserOf } from "../../src/json/load.ts";
import { formatCpr } from "../../src/json/write.ts";
import { Draw } from "../helpers/random-parts.ts";
import { RANDOM_PARSERS, RANDOM_SEED, randomCases, randomParsers } from "../helpers/random-suite.ts";
import { respell } from "../helpers/respell.ts";
import { refParse } from "../ref/parser.ts";

const LONG = 3_600_000;

test(
  `canonical form, seed ${RANDOM_SEED}`,
  () => {
    for (const { seed, document, parser } of randomParsers(Math.ceil(RANDOM_PARSERS / 2))) {
      const note = `parser of seed ${seed}`;
      const text = canonicalText(parser);
      const other = respell(document, new Draw(seed));
      const respelt = orThrow(parserOf(other));
      expect(canonicalText(respelt), `${note}\n${formatCpr(other)}`).toBe(text);
      expect(hashParser(respelt)).toEqual(hashParser(parser));
      const again = orThrow(loadParser(text));
      expect(canonicalText(again), note).toBe(text);
      for (const { packet, keys } of randomCases(parser, seed, 10)) {
        const is = refParse(parser, packet, { keys, fill: 0xa5 });
        expect(refParse(again, packet, { keys, fill: 0xa5 }), note).toEqual(is);
        expect(refParse(respelt, packet, { keys, fill: 0xa5 }), note).toEqual(is);
      }
    }
  },
  LONG,
);
