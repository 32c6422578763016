/**
 * POSIX ACLs: packed on disk (version 1), converted for programs to `system.posix_acl_access` and `_default` in the
 * form of linux/posix_acl_xattr.h (version 2), where every entry has an id. Source: fs/ext4/acl.h, acl.c.
 */
import { CorruptError } from "../../errors.js";

const DISK_VERSION = 1;
const SHOWN_VERSION = 2;
const HEADER_SIZE = 4;
const SHORT_SIZE = 4; // tag, permissions
const FULL_SIZE = 8; // and an id
/** The id of entries that have none: ACL_UNDEFINED_ID. */
const NO_ID = 0xffffffff;

/** e_tag, and whether the entry on disk has an id. Source: linux/posix_acl.h. */
const HAS_ID: Readonly<Record<number, boolean>> = {
  0x01: false, // ACL_USER_OBJ
  0x02: true, // ACL_USER
  0x04: false, // ACL_GROUP_OBJ
  0x08: true, // ACL_GROUP
  0x10: false, // ACL_MASK
  0x20: false, // ACL_OTHER
};

/**
 * The ACL `disk`, which lies at `offset` of `file`, in the form for programs; undefined if it has no entries, which means the
 * same as no ACL.
 * @throws {CorruptError} if it is not an ACL.
 */
export function aclFromDisk(disk: Buffer, file: string, offset: number): Buffer | undefined {
  const refuse = (found: string): never => {
    throw new CorruptError({
      file,
      offset,
      thing: "an access control list",
      found,
      expected: "version 1",
    });
  };
  if (disk.length < HEADER_SIZE || disk.readUInt32LE(0) !== DISK_VERSION) return refuse("of another version");
  const entries: Buffer[] = [];
  for (let at = HEADER_SIZE; at < disk.length;) {
    if (at + SHORT_SIZE > disk.length) return refuse("cut short");
    const hasId = HAS_ID[disk.readUInt16LE(at)];
    const size = hasId ? FULL_SIZE : SHORT_SIZE;
    if (hasId === undefined || at + size > disk.length) return refuse("with an entry of no known kind");
    const entry = Buffer.alloc(FULL_SIZE);
    disk.copy(entry, 0, at, at + size);
    if (!hasId) entry.writeUInt32LE(NO_ID, SHORT_SIZE);
    entries.push(entry);
    at += size;
  }
  if (entries.length === 0) return undefined;
  const header = Buffer.alloc(HEADER_SIZE);
  header.writeUInt32LE(SHOWN_VERSION);
  return Buffer.concat([header, ...entries]);
}
