/** Encrypted files: their keys are not in the image, so names are shown encoded, and contents are an error. */
import { createHash } from "node:crypto";
import { UnsupportedError } from "../../errors.js";
import type { Inode } from "./inode.js";
import type { Medium } from "./medium.js";

/** Bytes of a name that are encoded as they are. The rest of a longer name is replaced by a hash: names have 255 characters at most. */
const WHOLE_SIZE = 149;

/** The name under which the encrypted name `name` is shown: always the same, different from all others, without a slash. */
export function unreadableName(name: Buffer): Buffer {
  const rest = name.subarray(WHOLE_SIZE);
  const shown =
    rest.length === 0
      ? name
      : Buffer.concat([name.subarray(0, WHOLE_SIZE), createHash("sha256").update(rest).digest()]);
  return Buffer.from(shown.toString("base64url"));
}

/** The error for a request to read `inode`. */
export function encryptedError(medium: Medium, inode: Inode): UnsupportedError {
  return new UnsupportedError({
    file: medium.volume.name,
    offset: inode.offset,
    thing: `inode ${inode.number}`,
    found: "encrypted (fscrypt)",
    expected: "readable without a key",
  });
}
