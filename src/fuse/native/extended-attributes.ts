/** Extended attributes: GETXATTR, LISTXATTR. A request with size 0 is for the size of the reply alone. */
import { extendedAttribute, type NodeTree } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import { HEADER_SIZE, reply, replyWith } from "../protocol/reply.js";
import { GetxattrIn, nameAt, Opcode } from "../protocol/request.js";
import type { Handlers, Outcome } from "./handler.js";

/**
 * Only CAP_SYS_ADMIN sees these, and the kernel refuses to read them to all others by itself (fs/xattr.c,
 * xattr_permission). A request tells the user alone, who stands for the capability.
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

function sized(value: Buffer, size: number): Outcome {
  if (size > 0) return value.length > size ? Errno.ERANGE : replyWith(value);
  const out = reply(8);
  out.writeUInt32LE(value.length, HEADER_SIZE);
  return out;
}
