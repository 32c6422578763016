/** What really holds bytes: a file of the host, a block device; later a remote one. Floor 2. */

export interface Storage {
  /** Absolute path, resolved. */
  readonly path: string;
  /** The name that complaints use: the path as the user, or the naming image, gave it. */
  readonly name: string;
  /** Bytes, as they were when it was opened. */
  readonly size: number;
  /** The host's file descriptor, for engines that read by themselves. It stays this storage's own. */
  readonly fd: number;
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
