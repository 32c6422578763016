/** Encrypted files: their keys are not in the image, so names are shown encoded and contents are refused. */
import { createHash } from "node:crypto";
import { UnsupportedError } from "../../errors.js";
import type { Inode } from "./inode.js";
import type { Medium } from "./medium.js";

/** Bytes of a name that are encoded whole; of a longer one, a hash stands for the rest: 255 characters is the limit. */
const WHOLE_SIZE = 149;

/** The name under which the encrypted name `name` is shown: always the same, never that of another, no slash. */
export function unreadableName(name: Buffer): Buffer {
  const rest = name.subarray(WHOLE_SIZE);
  const shown =
    rest.length === 0
      ? name
      : Buffer.concat([name.subarray(0, WHOLE_SIZE), createHash("sha256").update(rest).digest()]);
  return Buffer.from(shown.toString("base64url"));
}

/** @returns the refusal to read what is in `inode`. */
export function encryptedError(medium: Medium, inode: Inode): UnsupportedError {
  return new UnsupportedError({
    file: medium.volume.name,
    offset: inode.offset,
    thing: `inode ${inode.number}`,
    found: "encrypted (fscrypt)",
    expected: "readable without a key",
  });
}
