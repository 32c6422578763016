/**
 * The five kinds of error. Everything that goes wrong with an image, a volume or a file is thrown as one of them; any
 * other error is a bug in vdisk.
 */
import { getSystemErrorMap } from "node:util";

export type DiskErrorCode = "CORRUPT" | "UNSUPPORTED" | "MISSING" | "DENIED" | "HOST";

/** The parts of an error message: where, what, what was found, what was expected, and what to do next. */
export interface Complaint {
  /** The file, or the part of a disk ("web.vdi vol1"), that the error is about. */
  readonly file: string;
  /** Absolute byte within `file`. */
  readonly offset?: number;
  /** What is wrong: a noun if `found` is given ("VDI block size"), otherwise a clause. */
  readonly thing: string;
  /** The value that was found. */
  readonly found?: string | number;
  /** What a right value would be. */
  readonly expected?: string;
  /** What the user can do. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The base class of all five. `code` is stable; the message may change. */
export class DiskError extends Error {
  readonly code: DiskErrorCode;

  constructor(code: DiskErrorCode, complaint: Complaint | string) {
    const cause = typeof complaint === "string" ? undefined : complaint.cause;
    super(
      typeof complaint === "string" ? complaint : sentence(complaint),
      cause === undefined ? {} : { cause },
    );
    this.code = code;
    this.name = new.target.name;
  }
}

/** The bytes contradict the format: they are damaged, truncated or nonsense. */
export class CorruptError extends DiskError {
  constructor(complaint: Complaint | string) {
    super("CORRUPT", complaint);
  }
}

/** The bytes may be right, but vdisk does not read them. */
export class UnsupportedError extends DiskError {
  constructor(complaint: Complaint | string) {
    super("UNSUPPORTED", complaint);
  }
}

/** Something that is needed, or that was requested by name, does not exist. */
export class MissingError extends DiskError {
  constructor(complaint: Complaint | string) {
    super("MISSING", complaint);
  }
}

/** Access is denied, by the gate (storage/gate.ts) or by the host. */
export class DeniedError extends DiskError {
  constructor(complaint: Complaint | string) {
    super("DENIED", complaint);
  }
}

/** The host failed: an I/O error, a full disk, a vanished file. `errno` is its name ("EIO"). */
export class HostError extends DiskError {
  readonly errno: string;

  constructor(complaint: Complaint | string, errno: string) {
    super("HOST", complaint);
    this.errno = errno;
  }
}

/** Whether `error` was thrown by Node.js for a failed system call. */
export function isErrnoException(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error && typeof (error as NodeJS.ErrnoException).code === "string" && "syscall" in error
  );
}

/** For `promise.catch`: returns `value` for a failed system call. Any other error is thrown again. */
export function whenHostFails<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (!isErrnoException(error)) throw error;
    return value;
  };
}

/** Returns the result of `call`, or `value` if a system call fails in it. Any other error is thrown again. */
export function unlessHostFails<T, U>(call: () => T, value: U): T | U {
  try {
    return call();
  } catch (error) {
    return whenHostFails(value)(error);
  }
}

/** For `promise.catch`: ignores an error that is not lost, because the same error, or an earlier one, is thrown elsewhere. */
export function thrownElsewhere(): undefined {
  return undefined;
}

/** For `promise.catch`: ignores a DiskError. Any other error is thrown again. */
export function ignoreDiskError(error: unknown): undefined {
  if (!(error instanceof DiskError)) throw error;
}

/**
 * Converts a failed system call on `file` to a MissingError (it does not exist), a DeniedError (no permission) or a
 * HostError (all others). Returns any other `error` as it is.
 */
export function fromHost(error: unknown, file: string): unknown {
  if (!isErrnoException(error)) return error;
  const errno = error.code!;
  switch (errno) {
    case "ENOENT":
    case "ENOTDIR":
      return new MissingError({ file, thing: "no such file", cause: error });
    case "EACCES":
    case "EPERM":
      return new DeniedError({
        file,
        thing: "permission denied by the host",
        hint: "check the file's owner and mode, or use sudo",
        cause: error,
      });
    default:
      return new HostError(
        { file, thing: `${error.syscall ?? "the host"} failed: ${reasonOf(error)}`, cause: error },
        errno,
      );
  }
}

/** What the code of a failed system call means: "no space left on device". A code that Node.js does not know stays as it is. */
function reasonOf({ code, errno }: NodeJS.ErrnoException): string {
  const [name, meaning] = (errno === undefined ? undefined : getSystemErrorMap().get(errno)) ?? [];
  return name === code && meaning !== undefined ? meaning : code!;
}

/** Returns `error` with `context` before its message ("parent of a.vdi: …"). Its class and code stay the same. */
export function withContext(context: string, error: unknown): unknown {
  if (!(error instanceof DiskError)) return error;
  const wrapped = Object.create(error, {
    message: { value: `${context}: ${error.message}`, configurable: true, writable: true },
    cause: { value: error, configurable: true, writable: true },
  }) as DiskError;
  return wrapped;
}

/** `win10.vdi, byte 0x178: VDI block size is 4660, but must be a power of two; next step`. */
function sentence({ file, offset, thing, found, expected, hint }: Complaint): string {
  const place = offset === undefined ? file : `${file}, byte 0x${offset.toString(16)}`;
  const is = found === undefined ? "" : ` is ${found}`;
  const must = expected === undefined ? "" : `, but must be ${expected}`;
  const next = hint === undefined ? "" : `; ${hint}`;
  return `${place}: ${thing}${is}${must}${next}`;
}

/** A command line or an argument that is wrong, whatever the image. */
export class UsageError extends Error {}
