/** The paths that a child has of its parent, as paths of this host. */
import { basename, isAbsolute, join, win32 } from "node:path";

/**
 * Where `hint` may lead for a child in `folder`, the likeliest first. The chain may have been moved since, so that the
 * parent may also lie beside the child. Windows paths are only of use by their file name, unless they are relative.
 */
export function placesOf(hint: string, folder: string): string[] {
  if (isAbsolute(hint)) return [hint, join(folder, basename(hint))];
  if (/^[a-z]:|^\\\\/i.test(hint)) return [join(folder, win32.basename(hint))];
  const path = join(folder, hint.includes("/") ? hint : hint.replaceAll("\\", "/"));
  return [...new Set([path, join(folder, basename(path))])];
}
