/** What the volume managers give: the parts of a disk, dense from 0. */
import type { DiskError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";

export type TableKind = "none" | "mbr" | "gpt";

export interface Volume {
  /** N of `volN`: primaries in slot order, then logicals in chain order; GPT in table order. */
  readonly index: number;
  /** Its number in the guest's kernel (sda1, sda5); 0 for a disk without a table. */
  readonly number: number;
  /** Bytes from the disk's start. */
  readonly offset: number;
  readonly source: BlockSource;
  /** Bytes by the table: more than `source.size` where the disk is cut short. */
  readonly tableSize: number;
  /** The type in the table: "0x83", a GPT type GUID; "" where there is no table. */
  readonly type: string;
  /** What the type is called: "Linux filesystem". */
  readonly typeName: string;
  /** The MBR's active flag, or GPT's legacy boot attribute. */
  readonly bootable: boolean;
  /** GPT: the partition's own GUID and name. */
  readonly uuid?: string;
  readonly label?: string;
}

export interface VolumeTable {
  readonly kind: TableKind;
  /** Bytes a sector of the table's own counts. */
  readonly sectorSize: number;
  /** The table's identity: GPT's disk GUID, or the MBR's disk signature as eight hex digits. */
  readonly uuid?: string;
  readonly volumes: readonly Volume[];
  /** What is odd or damaged without making the table unreadable; what `problem` says, too. */
  readonly warnings: readonly string[];
  /** Why the partitions are not known; then `kind` is "none". */
  readonly problem?: DiskError;
}
