/** Extended attributes: GETXATTR, LISTXATTR. A request with size 0 asks only for the size of the value. */
import { extendedAttribute, type NodeTree } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import { HEADER_SIZE, reply, replyWith } from "../protocol/reply.js";
import { GetxattrIn, nameAt, Opcode } from "../protocol/request.js";
import type { Handlers, Outcome } from "./handler.js";

/**
 * Attributes that only processes with CAP_SYS_ADMIN may list. (The kernel checks by itself who may read them: fs/xattr.c,
 * xattr_permission.) A request has no capabilities, only a user: root has the capability.
 */
const TRUSTED = "trusted.";
const ROOT = 0;

export function extendedAttributeHandlers(tree: NodeTree): Handlers {
  return {
    [Opcode.getxattr]: async (nodeId, request) => {
      const { size } = GetxattrIn.view(request);
      const name = nameAt(request, GetxattrIn.size).toString("latin1");
      const value = await extendedAttribute(tree, nodeId, name);
      return value === undefined ? Errno.ENODATA : sized(value, size);
    },
    [Opcode.listxattr]: async (nodeId, request, _signal, uid) => {
      const { size } = GetxattrIn.view(request);
      const all = [...(await tree.extendedAttributes(nodeId)).keys()];
      const names = uid === ROOT ? all : all.filter((name) => !name.startsWith(TRUSTED));
      return sized(Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1"), size);
    },
  };
}

/** The reply for a request of `size`. */
function sized(value: Buffer, size: number): Outcome {
  if (size > 0) return value.length > size ? Errno.ERANGE : replyWith(value);
  const out = reply(8); // fuse_getxattr_out
  out.writeUInt32LE(value.length, HEADER_SIZE);
  return out;
}
