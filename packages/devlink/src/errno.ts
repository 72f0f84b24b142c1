/**
 * The errno values devlink and the offload interface answer with, by their Linux names (asm-generic).
 * Errors travel as negative numbers, as in the kernel: `-ENODATA`.
 */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  ENOEXEC: 8,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENODATA: 61,
  EBADMSG: 74,
  EMSGSIZE: 90,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  ECANCELED: 125,
  EKEYREJECTED: 129,
} as const;

/** An errno name of {@link ERRNO}. */
export type ErrnoName = keyof typeof ERRNO;

// What strerror(3) of the C library says: the devlink tool prints it after "kernel answers: ".
const TEXT: Record<ErrnoName, string> = {
  EPERM: "Operation not permitted",
  ENOENT: "No such file or directory",
  EIO: "Input/output error",
  ENOEXEC: "Exec format error",
  EAGAIN: "Resource temporarily unavailable",
  ENOMEM: "Cannot allocate memory",
  EACCES: "Permission denied",
  EBUSY: "Device or resource busy",
  EEXIST: "File exists",
  ENODEV: "No such device",
  EINVAL: "Invalid argument",
  ETXTBSY: "Text file busy",
  EFBIG: "File too large",
  ENOSPC: "No space left on device",
  ERANGE: "Numerical result out of range",
  ENAMETOOLONG: "File name too long",
  ENODATA: "No data available",
  EBADMSG: "Bad message",
  EMSGSIZE: "Message too long",
  EPROTONOSUPPORT: "Protocol not supported",
  EOPNOTSUPP: "Operation not supported",
  ESTALE: "Stale file handle",
  ECANCELED: "Operation canceled",
  EKEYREJECTED: "Key was rejected by service",
};

/** The C library's text for an errno name. */
export function strerror(name: ErrnoName): string {
  return TEXT[name];
}

/** The name of a (positive or negative) errno number, or null when it is not one this interface uses. */
export function errnoName(errno: number): ErrnoName | null {
  const wanted = Math.abs(errno);
  for (const name of Object.keys(ERRNO) as ErrnoName[]) if (ERRNO[name] === wanted) return name;
  return null;
}

/** A refusal: the errno and, where the kernel would send one, the extack text. */
export interface Refusal {
  readonly ok: false;
  readonly errno: ErrnoName;
  /** Extended-ack text, without a final full stop; empty when the kernel sends none. */
  readonly extack: string;
  /** Which numbered check of the table refused, where there is a table. */
  readonly check?: number;
}

/** Success with a value. */
export interface Granted<T> {
  readonly ok: true;
  readonly value: T;
}

/** What every devlink operation answers. Never thrown. */
export type Answer<T> = Granted<T> | Refusal;

/** Build a {@link Refusal}. */
export function refuse(errno: ErrnoName, extack = "", check?: number): Refusal {
  return check === undefined ? { ok: false, errno, extack } : { ok: false, errno, extack, check };
}

/** Build a {@link Granted}. */
export function grant<T>(value: T): Granted<T> {
  return { ok: true, value };
}
