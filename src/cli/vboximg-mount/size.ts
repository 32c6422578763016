/** Sizes as `vboximg-mount` prints them. */

const UNITS = [" ", "K", "M", "G", "T", "P"] as const;

/** `12.1G`: one decimal, cut off and not rounded; bytes have a blank for their unit. */
export function scaledSize(bytes: number): string {
  let power = 0;
  let unit = 1;
  for (; power < UNITS.length - 1 && bytes >= unit * 1024; power++) unit *= 1024;
  return `${(Math.floor((bytes / unit) * 10) / 10).toFixed(1)}${UNITS[power]!}`;
}
