/** What really holds bytes: a file of the host, a block device; later a remote one. Level 2. */

export interface Storage {
  /** Where the bytes are: an absolute path, or a URL. */
  readonly location: string;
  /** Its name in error messages: the path as the user wrote it, or the image that names this file. */
  readonly name: string;
  /** Bytes, as they were when it was opened. */
  readonly size: number;
  /** The host's file descriptor, where there is one, for engines that read by themselves. Only this storage closes it. */
  readonly fd?: number;
  /**
   * Fills `into` with the bytes from `offset`: all of them, or an error.
   * @throws {CorruptError} where the file ends before the range does.
   * @throws {HostError} where the host fails.
   */
  read(into: Uint8Array, offset: number): Promise<void>;
  /** Keeps `fd` open, even if the storage is closed meanwhile, until the function that it returns is called. */
  hold?(): () => void;
  close(): Promise<void>;
}

/** The descriptor of `storage`; -1 where there is none, or where it is closed. */
export function descriptorOf({ fd = -1 }: Storage): number {
  return fd;
}
