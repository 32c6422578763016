/** Links and devices that Windows' NFS server made for its clients. Source: [MS-FSCC] 2.1.2.6. */
import { pathOf } from "./paths.js";

export type NfsNode =
  | { readonly kind: "posixLink"; readonly target: Buffer }
  | { readonly kind: "fifo" | "socket" }
  | { readonly kind: "block" | "character"; readonly device: { major: number; minor: number } };

/** InodeType: eight bytes, of which the first are letters. */
const TYPE_SIZE = 8;
/** Of a device: its two numbers, 32 bits each. */
const DEVICE_SIZE = 8;

/** What a file with `data` behind the server's tag is; undefined for a kind that the source does not describe. */
export function nfsNode(data: Buffer): NfsNode | undefined {
  const type = data.toString("latin1", 0, TYPE_SIZE);
  const rest = data.subarray(TYPE_SIZE);
  switch (type) {
    case "LNK\x01\0\0\0\0":
      return { kind: "posixLink", target: pathOf(rest.toString("utf16le")) };
    case "FIFO\0\0\0\0":
      return { kind: "fifo" };
    case "SOCK\0\0\0\0":
      return { kind: "socket" };
    case "CHR\0\0\0\0\0":
    case "BLK\0\0\0\0\0": {
      if (rest.length < DEVICE_SIZE) return undefined;
      const device = { major: rest.readUInt32LE(0), minor: rest.readUInt32LE(4) };
      return { kind: type.startsWith("B") ? "block" : "character", device };
    }
    default:
      return undefined;
  }
}
