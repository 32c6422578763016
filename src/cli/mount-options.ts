/** What stands after `-o`. */
import { UsageError } from "./exit.js";

export interface MountOptions {
  readonly allowOther: boolean;
  readonly allowRoot: boolean;
  /** As ntfs-3g has it: for us, not for the kernel. */
  readonly ignoreCase: boolean;
  /** For the kernel, one each. */
  readonly extra: readonly string[];
}

/** What is no option of the kernel's, or is asked for in another way, too. */
const OURS = ["allow_other", "allow_root", "ignore_case"];

/**
 * Options that the host's fuse knows and that take nothing back of what a mount promises. Others are refused here:
 * libfuse notices an unknown one only when it has mounted already, and takes `rw`, `suid` and `dev` at their word.
 */
const KNOWN = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "default_permissions"];

/** With a value. Source: mount(8), SELinux; fuse(4). */
const KNOWN_WITH_VALUE = ["context", "fscontext", "defcontext", "rootcontext", "max_read"];

/**
 * @param lists as they were given: options separated by commas.
 * @throws {UsageError} for an option that a mount does not take.
 */
export function parseMountOptions(lists: readonly string[]): MountOptions {
  const options = lists.flatMap((list) => list.split(",")).filter((option) => option !== "");
  const extra = options.filter((option) => !OURS.includes(option));
  for (const option of extra) {
    const [name, ...value] = option.split("=");
    const known = value.length > 0 ? KNOWN_WITH_VALUE : KNOWN;
    if (known.includes(name!)) continue;
    throw new UsageError(
      option === "rw"
        ? "-o rw: a mount of vdisk is read-only"
        : `-o ${option}: this is no option of a mount; those are ${[
            ...OURS,
            ...KNOWN,
            ...KNOWN_WITH_VALUE.map((known) => `${known}=…`),
          ].join(", ")}`,
    );
  }
  return {
    allowOther: options.includes("allow_other"),
    allowRoot: options.includes("allow_root"),
    ignoreCase: options.includes("ignore_case"),
    extra,
  };
}
