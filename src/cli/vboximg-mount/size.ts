/** Formats sizes as VirtualBox's `vboximg-mount` does. */

const UNITS = [" ", "K", "M", "G", "T", "P"] as const;

/** `12.1G`: one decimal, truncated and not rounded. The unit of bytes is a blank. */
export function scaledSize(bytes: number): string {
  let power = 0;
  let unit = 1;
  for (; power < UNITS.length - 1 && bytes >= unit * 1024; power++) unit *= 1024;
  return `${(Math.floor((bytes / unit) * 10) / 10).toFixed(1)}${UNITS[power]!}`;
}
