/** What holds the bytes: a file or a block device of the host, later also a remote file. */
import type { ByteRange, Changes } from "../bytes/changes.js";

export interface Storage {
  /** Where the bytes are: an absolute path, or a URL. */
  readonly location: string;
  /** The file's name in error messages: its path as the user, or the image that names it, has written it. */
  readonly name: string;
  /** Bytes, as they were when it was opened. */
  readonly size: number;
  /** Changes of its bytes; undefined if it never changes. */
  readonly changes?: Changes<ByteRange> | undefined;
  /** The host's file descriptor, if there is one, for code that reads by itself. Only this storage closes it. */
  readonly fd?: number;
  /**
   * Fills `into` with the bytes from `offset`: all of them, or an error.
   * @throws {CorruptError} where the file ends before the range does.
   * @throws {HostError} where the host fails.
   */
  read(into: Uint8Array, offset: number): Promise<void>;
  /** Keeps `fd` open, even if the storage is closed meanwhile, until the returned function is called. */
  hold?(): () => void;
  close(): Promise<void>;
}

/** Returns the descriptor of `storage`; -1 if there is none, or if it is closed. */
export function descriptorOf({ fd = -1 }: Storage): number {
  return fd;
}
