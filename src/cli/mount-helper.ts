/**
 * Translates the command line of mount(8) and /etc/fstab. For the type "fuse.vdisk", mount.fuse(8) runs
 * `vdisk SOURCE DIR -o OPTIONS`, which becomes a command line of `vdisk mount` or `vdisk remount`. Keep the imports of this
 * file few: it is loaded before a mount's process starts.
 */

/** Options of `vdisk mount` with a value, as mount options; "-" may be used for "_". */
const WITH_VALUE = ["allow_dir", "codepage", "disk", "fuse_backend", "log_level", "snapshot", "time_zone"];

/** Options of `vdisk mount` without a value. (`-o` itself accepts allow_other, allow_root and ignore_case.) */
const SWITCHES = ["allow_live", "system_files"];

/**
 * Options that say when and by whom to mount, and those that mount(8) or mount.fuse(8) add by themselves ("rw", "dev",
 * "suid"). The mount is read-only, without devices and set-user-ID programs, in any case.
 */
const IGNORED =
  /^(defaults|rw|dev|suid|exec|auto|noauto|nofail|_netdev|users?|nousers?|owner|group|(user|uhelper|comment)=.*|x-.*|X-.*|async|sync|dirsync|atime|diratime|(no)?relatime|(no)?strictatime|(no)?lazytime|loud|silent|(no)?iversion)$/;

/** The commands of vdisk: a command line that begins with one is not from mount(8), which passes absolute paths. */
const COMMANDS = ["cat", "info", "list", "ls", "mount", "unmount"];

/**
 * Returns the arguments for vdisk if `args` come from mount(8); otherwise undefined. For a remount, they are
 * `remount DIR OPTIONS`.
 */
export function translateMountHelper(args: readonly string[]): string[] | undefined {
  const [source, directory, flag, list, ...rest] = args;
  const isHelper = flag === "-o" && list !== undefined && rest.length === 0;
  if (!isHelper || source === undefined || directory === undefined) return undefined;
  if (COMMANDS.includes(source) || source.startsWith("-") || directory.startsWith("-")) return undefined;
  const options = list.split(",").filter((option) => option !== "");
  if (options.includes("remount")) return ["remount", directory, list];
  const own: string[] = [];
  const others: string[] = [];
  for (const option of options) {
    const ofCommand = commandOptionOf(option);
    if (ofCommand !== undefined) own.push(ofCommand);
    else if (!IGNORED.test(option)) others.push(option);
  }
  return [
    "mount",
    source,
    directory,
    "--quiet",
    ...own,
    ...(others.length > 0 ? ["-o", others.join(",")] : []),
  ];
}

/** Returns the option of `vdisk mount` that mount(8) may pass as `option`: `--snapshot=base` for `snapshot=base`. */
export function commandOptionOf(option: string): string | undefined {
  const [name = "", ...value] = option.split("=");
  const known = name.replaceAll("-", "_");
  if (value.length > 0 && WITH_VALUE.includes(known)) return `--${dashed(known)}=${value.join("=")}`;
  if (value.length === 0 && SWITCHES.includes(known)) return `--${dashed(known)}`;
  return undefined;
}

function dashed(name: string): string {
  return name.replaceAll("_", "-");
}
