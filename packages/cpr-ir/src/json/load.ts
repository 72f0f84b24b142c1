/** Text to documents and parsers: the ways in. */
import type { Diagnostic, Result } from "../diagnostics.ts";
import { type Dialect, dialectOf, importDialect, type KeyOrder } from "../import/dialects.ts";
import type { CprDocument, ParserText } from "../ir/document.ts";
import type { Parser } from "../ir/types.ts";
import { resolveParser } from "../passes/resolve.ts";
import { Faults, Origins, readDocument } from "./read.ts";
import { cloneTree, type Json, locate, parseJson } from "./text.ts";

/** How to read. */
export interface ReadOptions {
  /** Unknown properties and slips of JSON are warnings. */
  readonly lenient?: boolean;
  /** Which parser of the document; default the first. */
  readonly parser?: string;
  /** Of a dialect: how keys of two-byte fields are meant; default `wire`. */
  readonly keyOrder?: KeyOrder;
}

/** A document, its parsers resolved, and what was told on the way. */
export interface CprFile {
  /** Whose form the text had. */
  readonly dialect: Dialect;
  readonly document: CprDocument;
  readonly parsers: readonly Parser[];
  /** The one asked for. */
  readonly parser: Parser;
  /** Warnings only. */
  readonly diagnostics: readonly Diagnostic[];
}

/** A text and its tree as it was. */
interface Source {
  readonly text: string;
  readonly root: Json;
}

/** Parsers of one document. */
const MAX_PARSERS = 16;

/**
 * Read a document, native or in one of the dialects. All faults are collected, with line, column and JSON
 * path; what an import changed is among the warnings.
 */
export function readCpr(text: string, options: ReadOptions = {}): Result<CprFile> {
  const json = parseJson(text, options.lenient === true);
  const faults = new Faults();
  faults.add(json.diagnostics);
  if (json.root === null) return failed(text, null, faults);
  const dialect = dialectOf(json.root, isDocumentation(json.diagnostics));
  // an import changes the tree; paths are those of the text
  const root = dialect === "native" ? json.root : cloneTree(json.root);
  if (dialect !== "native" && root.kind === "object")
    importDialect(root, {
      dialect,
      faults,
      keyOrder: options.keyOrder ?? "wire",
      added: [],
      done: new Set(),
    });
  return readTree({ text, root: json.root }, root, dialect, faults, options);
}

/** Whose form a text has, whether it can be read or not; slips of JSON are passed over. */
export function dialectOfText(text: string): Dialect {
  const { root, diagnostics } = parseJson(text, true);
  return root === null ? "native" : dialectOf(root, isDocumentation(diagnostics));
}

/** The documentation's example is no JSON. */
function isDocumentation(slips: readonly Diagnostic[]): boolean {
  return slips.some((d) => d.severity === "warning");
}

/** Read a document's tree; `source` gives lines, columns and paths. */
function readTree(
  source: Source,
  root: Json,
  dialect: Dialect,
  faults: Faults,
  options: ReadOptions,
): Result<CprFile> {
  const origins = new Origins();
  const document = readDocument(root, origins, faults, options.lenient === true);
  if (document === null || faults.failed) return failed(source.text, source.root, faults);
  checkParserNames(document.parsers, origins, faults);
  if (document.parsers.length > MAX_PARSERS) {
    faults.error(
      "cpr.parser",
      `${document.parsers.length} parsers; at most ${MAX_PARSERS} are read`,
      root.at,
    );
    return failed(source.text, source.root, faults);
  }
  const parsers: Parser[] = [];
  for (const p of document.parsers) {
    const resolved = resolveParser(document, p, origins, faults);
    if (resolved !== null) parsers.push(resolved);
  }
  const wanted = options.parser;
  const parser = wanted === undefined ? parsers[0] : parsers.find((p) => p.name === wanted);
  if (parser === undefined && !faults.failed)
    faults.error(
      "cpr.parser",
      wanted === undefined ? "the document has no parser" : `no parser is named '${wanted}'`,
      root.at,
    );
  if (faults.failed || parser === undefined) return failed(source.text, source.root, faults);
  return {
    ok: true,
    value: {
      dialect,
      document,
      parsers,
      parser,
      diagnostics: locate(source.text, source.root, faults.all()),
    },
  };
}

/** A parser from text, the usual way. */
export function loadParser(text: string, options: ReadOptions = {}): Result<Parser> {
  const file = readCpr(text, options);
  return file.ok ? { ok: true, value: file.value.parser } : file;
}

/** A parser from a document built in memory. */
export function parserOf(document: CprDocument, options: ReadOptions = {}): Result<Parser> {
  return loadParser(JSON.stringify(document, null, 1), options);
}

function checkParserNames(parsers: readonly ParserText[], origins: Origins, faults: Faults): void {
  const seen = new Set<string>();
  for (const p of parsers) {
    const name = p.name ?? "";
    if (parsers.length > 1 && name === "")
      faults.error("cpr.name", "each of several parsers needs a name", origins.at(p));
    else if (seen.has(name)) faults.error("cpr.name", `a second parser is named '${name}'`, origins.at(p));
    seen.add(name);
  }
}

function failed(
  text: string,
  root: Json | null,
  faults: Faults,
): { readonly ok: false; readonly diagnostics: readonly Diagnostic[] } {
  return { ok: false, diagnostics: locate(text, root, faults.all()) };
}
