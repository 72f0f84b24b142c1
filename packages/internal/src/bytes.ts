/**
 * The same bytes as a plain Uint8Array. Node's Buffer is one too, but its `slice` shares memory where Uint8Array's
 * copies: what comes from a caller goes through here before anything is sliced.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
