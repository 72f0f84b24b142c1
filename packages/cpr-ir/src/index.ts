/**
 * Offload programs and parsers as hashed intermediate representation.
 *
 * ```text
 * CPR document → read (faults with line, column, path) → resolve → canonical form → hash
 *                                                          └→ interpreter, targets
 * module bytes → decode, validate → profile → canonical bytes → hash
 *                                     └→ targets (npu) → image (ELF bundle) → read, check
 * ```
 *
 * @packageDocumentation
 */
export { type Diagnostic, fail, ok, orThrow, type Result } from "./diagnostics.ts";
export { CprIrError, type CprIrErrorCode } from "./errors.ts";
export {
  CANONICAL_PREFIX,
  canonicalCpr,
  canonicalText,
  fileDigest,
  hashParser,
} from "./hash/canonical.ts";
export { hashProgram, type ProgramHash, sha256Bytes } from "./hash/digest.ts";
export {
  decodeProgramNote,
  encodeProgramNote,
  IMAGE_ABI,
  IR_KIND,
  PARSER_FUNCTION,
  type ProgramNote,
  RESOURCE_NAMES,
  TARGET,
  type TargetName,
} from "./image/notes.ts";
export { type AcceptPrograms, type Image, type ImageProgram, readImage } from "./image/read.ts";
export type { ImageFunction, ImageLabel, ImageRelocation, TextSymbols } from "./image/symbols.ts";
export { fileNoteAt, type ImageInput, seal, writeImage } from "./image/write.ts";
export type { Dialect, KeyOrder } from "./import/dialects.ts";
export { Interpreter, type Trace } from "./interp/run.ts";
export { check, entries, field, ParserBuilder, parser, when } from "./ir/build.ts";
export { CODE, type CodeName, codeName, codeOf, isCode, isOkay } from "./ir/codes.ts";
export type * from "./ir/document.ts";
export { FLOW_KEYS, FLOW_KEYS_BYTES, type FlowKeysMember, type FlowKeysPlace } from "./ir/flow-keys.ts";
export {
  type Actions,
  type Amount,
  type Check,
  type CompareOp,
  type Counter,
  type CounterAction,
  type Edge,
  type Elements,
  type Expr,
  type FlagField,
  type Flags,
  type HdrLength,
  type Load,
  type MdTarget,
  type MdValue,
  type Metadata,
  metadataSize,
  type Next,
  type ParseNode,
  type Parser,
  type Source,
  type SubNode,
  type TlvNode,
  type Tlvs,
} from "./ir/types.ts";
export {
  type CprFile,
  dialectOfText,
  loadParser,
  parserOf,
  type ReadOptions,
  readCpr,
} from "./json/load.ts";
export { jsonSchema } from "./json/schema.ts";
export { formatCpr } from "./json/write.ts";
export { minimize } from "./passes/minimize.ts";
export { diffParsers, diffParsersBySteps, type Outcome, Pair, type ParserDiff } from "./paths/diff.ts";
export {
  type GeneratedCases,
  generateCases,
  generateCasesBySteps,
  type ParserCase,
} from "./paths/generate.ts";
export { SHIPPED_PARSERS, shippedParser } from "./programs.ts";
export type { RelocatedSlot } from "./targets/codegen/emit.ts";
export {
  type CompiledFunction,
  type CompiledProgram,
  globalCell,
  initialData,
} from "./targets/codegen/link.ts";
export type { Relocation } from "./targets/codegen/lir.ts";
export { compileEbpf, type EbpfOptions } from "./targets/ebpf/compile.ts";
export { CONTROL, EBPF_MAX_BATCH } from "./targets/ebpf/control.ts";
export { decodeInsns, encodeInsns, type Insn, judgeInsn } from "./targets/ebpf/insn.ts";
export {
  ALU_OP,
  CLASS,
  HELPER_TRAP,
  JMP_OP,
  MAX_FRAMES,
  MODE_MEM,
  MODE_MEMSX,
  OP_BSWAP,
  OP_CALL,
  OP_EXIT,
  OP_GOTOL,
  OP_JA,
  OP_LDDW,
  PSEUDO_CALL,
  SIZE,
  SRC_X,
  STACK_BYTES,
} from "./targets/ebpf/opcode.ts";
export {
  type CompiledParser,
  compileFlowDissector,
  compileXdp,
  type DebugOptions,
  flowDissectorTarget,
  xdpTarget,
} from "./targets/ebpf/parser/compile.ts";
export { type FlowKeysField, flowKeysFields, toFlowKeys } from "./targets/ebpf/parser/flow-keys.ts";
export {
  SLOT,
  SLOT_OPTION,
  type SlotLayout,
  slotLayout,
  TRACE_KIND,
  TRACE_RECORD,
} from "./targets/ebpf/parser/slot.ts";
export { printInsn } from "./targets/ebpf/print.ts";
export { compileNpu, type NpuOptions } from "./targets/npu/compile.ts";
export { compileP4, type P4Options, p4Target } from "./targets/p4/compile.ts";
export { drawParser } from "./targets/svg/draw.ts";
export type { Target } from "./targets/target.ts";
export {
  type CompiledTcam,
  compileTcam,
  fitTcam,
  type TcamFit,
  type TcamOptions,
} from "./targets/tcam/compile.ts";
export { decodeTcam } from "./targets/tcam/decode.ts";
export { encodeTcam } from "./targets/tcam/encode.ts";
export type { Merging } from "./targets/tcam/fuse.ts";
export {
  measureTcam,
  reportTcam,
  TCAM_IDEAL,
  type TcamLimits,
  type TcamNodeUse,
  type TcamReport,
  type TcamResource,
  tcamResources,
} from "./targets/tcam/limits.ts";
export { printTcam } from "./targets/tcam/print.ts";
export {
  codeOfGoto,
  done,
  type Goto,
  type TcamEntry,
  type TcamOp,
  type TcamProgram,
  type TcamSource,
  type TcamState,
  type TcamTarget,
} from "./targets/tcam/table.ts";
export { compileWasm, DESCRIPTOR, type WasmOptions, wasmTarget } from "./targets/wasm/compile.ts";
export { type WasmOutcome, WasmParser } from "./targets/wasm/run.ts";
export { canonicalForm, canonicalModule } from "./wasm/canonical.ts";
export { decodeModule, MAX_MODULE_BYTES } from "./wasm/decode.ts";
export { disassembleModule, printInstruction } from "./wasm/disasm.ts";
export { ByteWriter, encodeModule } from "./wasm/encode.ts";
export { linkModules } from "./wasm/link.ts";
export { type Immediate, OP, OPCODES, type Opcode } from "./wasm/opcode.ts";
export {
  ACCEL1,
  type Accel1Name,
  checkProfile,
  functionNumberOf,
  INITIAL_PAGES,
  MAX_PARAMS,
  type ProfileOptions,
} from "./wasm/profile.ts";
export {
  HOST_RESULT_WORDS,
  type HostAccel,
  HostProgram,
  type HostRun,
  type InstantiateOptions,
  instantiateProgram,
  trapOf,
} from "./wasm/run.ts";
export {
  type BlockType,
  type DataSegment,
  type FuncType,
  functionLabel,
  I32,
  I64,
  type ImportedFunction,
  type Instruction,
  typeOf,
  type ValType,
  type WasmExport,
  type WasmFunction,
  type WasmGlobal,
  type WasmModule,
} from "./wasm/types.ts";
