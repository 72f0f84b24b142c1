/**
 * One table per struct: field, offset, width, bits, byte order. AssemblyScript classes, TypeScript accessors,
 * the C header, field names in reports and diagrams are generated from these tables and from nothing else.
 */

/**
 * How a field lies in memory. `be` fields are network order; plain ones little endian; `guest16` is little endian
 * in virtio 1.x and the guest's order before.
 */
export type FieldType =
  | "u8"
  | "u16"
  | "u32"
  | "u64"
  | "be16"
  | "be32"
  | "le16"
  | "le32"
  | "guest16"
  | "bytes";

/** One field of a struct or header. */
export interface Field {
  /** Our name, camelCased mechanically from the kernel's. */
  readonly name: string;
  /** The kernel's (or RFC's) name. */
  readonly kernel: string;
  /** Bytes from the start of the struct. */
  readonly offset: number;
  readonly type: FieldType;
  /** Bytes; for `bytes` only. */
  readonly length?: number;
  /** A part of the integer at the offset, counted from its least significant bit. */
  readonly bits?: { readonly shift: number; readonly width: number };
  /** One sentence. */
  readonly doc: string;
}

/** A struct of ABI 1 or a wire header. */
export interface Layout {
  /** The kernel's struct name. */
  readonly name: string;
  /** Class in AssemblyScript. */
  readonly className: string;
  /** Bytes of the fixed part. */
  readonly size: number;
  readonly doc: string;
  /** Where the layout comes from: RFC section, kernel header. */
  readonly see: string;
  readonly fields: readonly Field[];
}
