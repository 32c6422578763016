/** The result of reading a partition table: the volumes of a disk, numbered from 0 without gaps. */
import type { DiskError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";

export type TableKind = "none" | "mbr" | "gpt";

export interface Volume {
  /** N of `volN`: primaries in slot order, then logicals in chain order; GPT in table order. */
  readonly index: number;
  /** The partition's number in the guest's kernel (sda1, sda5); 0 for a disk without a table. */
  readonly number: number;
  /** Bytes from the disk's start. */
  readonly offset: number;
  readonly source: BlockSource;
  /** Bytes according to the table: more than `source.size` if the disk is cut short. */
  readonly tableSize: number;
  /** The type in the table: "0x83", or a GPT type GUID; "" without a table. */
  readonly type: string;
  /** The type's name: "Linux native". */
  readonly typeName: string;
  /** The MBR's active flag, or GPT's legacy boot attribute. */
  readonly bootable: boolean;
  /** GPT: the partition's own GUID and name. */
  readonly uuid?: string;
  readonly label?: string;
}

export interface VolumeTable {
  readonly kind: TableKind;
  /** Bytes of the sectors in which the table counts. */
  readonly sectorSize: number;
  /** The table's identity: GPT's disk GUID, or the MBR's disk signature as eight hex digits. */
  readonly uuid?: string;
  readonly volumes: readonly Volume[];
  /** Sentences about what is unusual or damaged, `problem` included. */
  readonly warnings: readonly string[];
  /** Why the partitions cannot be read; `kind` is "none" then. */
  readonly problem?: DiskError;
}
