/** Parses mount options, as after `-o`. */
import { UsageError } from "./exit.js";

export interface MountOptions {
  readonly allowOther: boolean;
  readonly allowRoot: boolean;
  /** The option of ntfs-3g; it is not for the kernel. */
  readonly ignoreCase: boolean;
  /** Options for the kernel. */
  readonly extra: readonly string[];
}

/** Options that vdisk handles itself. */
const OWN_OPTIONS = ["allow_other", "allow_root", "ignore_case"];

/**
 * Options for the kernel that keep the mount read-only and safe. All others are refused here: libfuse notices an unknown
 * option only after it has mounted, and would obey `rw`, `suid` and `dev`.
 */
const KERNEL_OPTIONS = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "default_permissions"];

/** Those with a value. Source: mount(8), SELinux; fuse(4). */
const KERNEL_OPTIONS_WITH_VALUE = ["context", "fscontext", "defcontext", "rootcontext", "max_read"];

/**
 * @param lists options separated by commas, as they were given.
 * @param commandOptionOf returns the command's own option that a mount option was meant to be, for the error message.
 * @throws {UsageError} for an option that vdisk does not accept.
 */
export function parseMountOptions(
  lists: readonly string[],
  commandOptionOf: (option: string) => string | undefined = () => undefined,
): MountOptions {
  const options = lists.flatMap((list) => list.split(",")).filter((option) => option !== "");
  const extra = options.filter((option) => !OWN_OPTIONS.includes(option));
  for (const option of extra) {
    const [name, ...value] = option.split("=");
    const known = value.length > 0 ? KERNEL_OPTIONS_WITH_VALUE : KERNEL_OPTIONS;
    if (known.includes(name!)) continue;
    throw new UsageError(`-o ${option}: ${complaintOf(option, commandOptionOf(option))}`);
  }
  return {
    allowOther: options.includes("allow_other"),
    allowRoot: options.includes("allow_root"),
    ignoreCase: options.includes("ignore_case"),
    extra,
  };
}

function complaintOf(option: string, ofCommand: string | undefined): string {
  if (option === "rw") return "a mount of vdisk is read-only";
  if (ofCommand !== undefined) return `this is an option of the command; use ${ofCommand}`;
  const valid = [
    ...OWN_OPTIONS,
    ...KERNEL_OPTIONS,
    ...KERNEL_OPTIONS_WITH_VALUE.map((known) => `${known}=…`),
  ];
  return `unknown mount option; valid options are ${valid.join(", ")}`;
}
