/** GUIDs and UUIDs: sixteen bytes, printed as 36 characters in lower case. */

export const NIL_UUID = "00000000-0000-0000-0000-000000000000";

/** A GUID as Microsoft and VirtualBox store it: the first three groups are little-endian. */
export function formatGuid(bytes: Buffer, at = 0): string {
  const swapped = Buffer.from(bytes.subarray(at, at + 16));
  swapped.subarray(0, 4).reverse();
  swapped.subarray(4, 6).reverse();
  swapped.subarray(6, 8).reverse();
  return formatUuid(swapped);
}

/** A UUID stored in the order in which it is printed (ext, LVM, most of Linux). */
export function formatUuid(bytes: Buffer, at = 0): string {
  const hex = bytes.toString("hex", at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The text of a printed GUID's sixteen bytes, as those print it who store GUIDs in the other byte order. */
export function swapGuid(printed: string): string {
  return formatGuid(Buffer.from(printed.replaceAll("-", ""), "hex"));
}

/** The sixteen bytes of a printed GUID in Microsoft's order; braces and case do not matter. */
export function parseGuid(printed: string): Buffer | undefined {
  const hex = printed.replace(/^\{|\}$/g, "").replaceAll("-", "");
  if (!/^[0-9a-f]{32}$/i.test(hex)) return undefined;
  const bytes = Buffer.from(hex, "hex");
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
