/**
 * The five kinds of error. Whatever goes wrong with an image, a volume or a file reaches the caller as
 * one of these; anything else is a bug of ours.
 */

export type DiskErrorCode = "CORRUPT" | "UNSUPPORTED" | "MISSING" | "DENIED" | "HOST";

/** What a complaint says: where, about what, what is there, what should be, and what to do next. */
export interface Complaint {
  /** The file, or the part of a disk ("web.vdi vol1"), that the complaint is about. */
  readonly file: string;
  /** Absolute byte within `file`. */
  readonly offset?: number;
  /** The thing, with its verb left out: "VDI block size". */
  readonly thing: string;
  /** What was found there. */
  readonly found?: string | number;
  /** What would have been right. */
  readonly expected?: string;
  /** The next step for the person who reads this. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The base of all five; `code` is stable, the message is for people. */
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

/** The bytes contradict the format: damage, truncation, or nonsense. */
export class CorruptError extends DiskError {
  constructor(complaint: Complaint | string) {
    super("CORRUPT", complaint);
  }
}

/** The bytes may be fine, but we do not read this. */
export class UnsupportedError extends DiskError {
  constructor(complaint: Complaint | string) {
    super("UNSUPPORTED", complaint);
  }
}

/** Something that is needed, or was asked for by name, is not there. */
export class MissingError extends DiskError {
  constructor(complaint: Complaint | string) {
    super("MISSING", complaint);
  }
}

/** The gate, or the host, does not let us. */
export class DeniedError extends DiskError {
  constructor(complaint: Complaint | string) {
    super("DENIED", complaint);
  }
}

/** The host failed: an I/O error, a full disk, a vanished file. `errno` is the host's name for it ("EIO"). */
export class HostError extends DiskError {
  readonly errno: string;

  constructor(complaint: Complaint | string, errno: string) {
    super("HOST", complaint);
    this.errno = errno;
  }
}

/** Whether `error` is the host's complaint about a system call. */
export function isErrnoException(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error && typeof (error as NodeJS.ErrnoException).code === "string" && "syscall" in error
  );
}

/** For `promise.catch`: gives `value` in place of a failed system call. Any other error is thrown again. */
export function whenHostFails<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (!isErrnoException(error)) throw error;
    return value;
  };
}

/** The result of `call`, or `value` where a system call fails in it. Any other error is thrown again. */
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
 * The host's complaint about `file`, as one of the five: MissingError where it does not exist, DeniedError where
 * we may not, HostError for the rest. Anything that is not a failed system call comes back as it is.
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
        { file, thing: `${error.syscall ?? "the host"} failed`, found: errno, cause: error },
        errno,
      );
  }
}

/** `error` with a line of context in front, once per file boundary ("parent of a.vdi: …"); its kind stays. */
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

/** What was asked for is not of the form that it must have, whatever the image: a mistake of who asks. */
export class UsageError extends Error {}
