import { CorruptError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";

/** A source that refers to `source` weakly, and opens it again by `reopen` if it was collected as garbage. */
export function weakSource(source: BlockSource, reopen: () => Promise<BlockSource>): BlockSource {
  const { name, size, changes } = source;
  let held = new WeakRef(source);
  const again = async (): Promise<BlockSource> => {
    const opened = await reopen();
    if (opened.size !== size) {
      const thing = "its size when it was read again";
      throw new CorruptError({
        file: name,
        thing,
        found: opened.size,
        expected: `${size}, as it was before`,
      });
    }
    held = new WeakRef(opened);
    return opened;
  };
  return {
    name,
    size,
    changes,
    map: async (offset, length) => (held.deref() ?? (await again())).map(offset, length),
  };
}
