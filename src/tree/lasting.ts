import { CorruptError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";

/**
 * `source` for someone who keeps it: what it needs in memory is not kept with it. Where that is gone, `open` has it
 * again.
 */
export function lastingSource(source: BlockSource, open: () => Promise<BlockSource>): BlockSource {
  const { name, size } = source;
  let held = new WeakRef(source);
  const again = async (): Promise<BlockSource> => {
    const opened = await open();
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
    map: async (offset, length) => (held.deref() ?? (await again())).map(offset, length),
  };
}
