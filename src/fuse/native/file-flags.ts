/** IOCTL: the file flags that lsattr(1) shows. Linux requests them by itself (fs/fuse/ioctl.c, fuse_fileattr_get). */
import type { NodeTree } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import { body, reply, writeU32le } from "../protocol/reply.js";
import { IoctlIn, Opcode } from "../protocol/request.js";
import type { Handlers } from "./handler.js";

/** FS_IOC_GETFLAGS, _IOR('f', 1, long). Source: include/uapi/linux/fs.h. */
const GET_FLAGS = 0x80086601;

/** Bytes of `fuse_ioctl_out`: the result, 0, and fields that only unrestricted ioctls use. */
const IOCTL_OUT_SIZE = 16;

export function flagHandlers(tree: NodeTree): Handlers {
  return {
    [Opcode.ioctl]: async (nodeId, request) => {
      if (IoctlIn.view(request).command !== GET_FLAGS) return Errno.ENOTTY;
      const { flags } = await tree.attributes(nodeId);
      if (flags === undefined) return Errno.ENOTTY;
      const out = reply(IOCTL_OUT_SIZE + 4); // four bytes, though the ioctl is defined with a long
      writeU32le(body(out), flags, IOCTL_OUT_SIZE);
      return out;
    },
  };
}
