/** Recognises what vdisk does not read, so that a listing can name it. */
import type { BlockSource } from "../extent/extent.js";
import { findSignature, UNREAD } from "../extent/signatures.js";

/** Returns the name of what begins at the start of `volume`; undefined if its signature is not known. */
export function unreadContentsOf(volume: BlockSource): Promise<string | undefined> {
  return findSignature(volume, UNREAD);
}
