/** Reads whole settings files of the host. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { fromHost, isErrnoException, UnsupportedError } from "../errors.js";
import { refuseOthers } from "./file.js";

/**
 * Returns the bytes of the regular file `path`. It is read synchronously: with hundreds of small files, a promise for each
 * takes several times as long.
 * @throws {MissingError | DeniedError | HostError} as the host says.
 * @throws {UnsupportedError} if it is larger than `limit` bytes, or no regular file.
 */
export function readSmallFile(path: string, limit: number): Buffer {
  try {
    refuseOthers(statSync(path), path); // before opening: opening a pipe or a device may have effects
    const descriptor = openUnnoticed(path);
    try {
      const stats = fstatSync(descriptor);
      refuseOthers(stats, path);
      if (stats.size > limit) {
        const expected = `at most ${limit} bytes`;
        throw new UnsupportedError({
          file: path,
          thing: "the settings file's size",
          found: stats.size,
          expected,
        });
      }
      const bytes = Buffer.alloc(stats.size);
      let length = 0;
      for (let count = -1; count !== 0 && length < bytes.length; length += count) {
        count = readSync(descriptor, bytes, length, bytes.length - length, length);
      }
      return bytes.subarray(0, length); // the file may have become shorter meanwhile
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw fromHost(error, path);
  }
}

/** Opens for reading. The access time stays as it is if the host allows that: to the file's owner and to root. */
function openUnnoticed(path: string): number {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const noAccessTime = (constants.O_NOATIME as number | undefined) ?? 0; // absent on macOS, whatever the type says
  try {
    return openSync(path, flags | noAccessTime);
  } catch (error) {
    if (noAccessTime === 0 || !isErrnoException(error) || error.code !== "EPERM") throw error;
    return openSync(path, flags);
  }
}
