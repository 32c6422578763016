/** What a volume holds that no driver reads, so that a user can be told its name. */
import type { BlockSource } from "../extent/extent.js";
import { findSignature, UNREAD } from "../extent/signatures.js";

/** Returns the name of what begins at the start of `volume`; undefined where no signature is known. */
export function unreadContentsOf(volume: BlockSource): Promise<string | undefined> {
  return findSignature(volume, UNREAD);
}
