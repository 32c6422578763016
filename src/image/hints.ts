/** Translates the paths of parents that children note to paths of this host. */
import { basename, isAbsolute, join, win32 } from "node:path";

/**
 * Returns the paths that `hint` may mean for a child in `folder`, the most probable first. The chain may have been moved, so
 * the parent is also looked for beside the child. Of an absolute Windows path, only the file's name is used.
 */
export function placesOf(hint: string, folder: string): string[] {
  if (isAbsolute(hint)) return [hint, join(folder, basename(hint))];
  if (/^[a-z]:|^\\\\/i.test(hint)) return [join(folder, win32.basename(hint))];
  const path = join(folder, hint.includes("/") ? hint : hint.replaceAll("\\", "/"));
  return [...new Set([path, join(folder, basename(path))])];
}
