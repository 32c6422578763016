/**
 * How mount(8) and /etc/fstab call us: for the type "fuse.vdisk", mount.fuse(8) runs `vdisk SOURCE DIR -o OPTIONS`. That
 * is turned into a command line of `vdisk mount` or `vdisk remount`. Nothing heavy is imported here: a mount begins
 * with it.
 */

/** Options of `vdisk mount` with a value, as mount options; "-" may stand for "_". */
const WITH_VALUE = ["allow_dir", "codepage", "disk", "fuse_backend", "log_level", "snapshot", "time_zone"];

/** Options of `vdisk mount` that are switches; `-o` itself takes allow_other, allow_root and ignore_case. */
const SWITCHES = ["allow_live", "system_files"];

/**
 * Options that say when and by whom to mount, and what mount(8) or mount.fuse(8) add by themselves: "rw", "dev" and
 * "suid" where nothing else is asked for. A mount is read-only, without devices and set-user-ID programs, all the same.
 */
const IGNORED =
  /^(defaults|rw|dev|suid|exec|auto|noauto|nofail|_netdev|users?|nousers?|owner|group|(user|uhelper|comment)=.*|x-.*|X-.*|async|sync|dirsync|atime|diratime|(no)?relatime|(no)?strictatime|(no)?lazytime|loud|silent|(no)?iversion)$/;

/** What a command line of ours begins with. mount(8) gives a file by its absolute path. */
const COMMANDS = ["cat", "info", "list", "ls", "mount", "unmount"];

/**
 * The words of the command line that `words` stand for, if they are mount(8)'s; otherwise undefined. Where mount(8)
 * asks for a remount, they are `remount DIR OPTIONS`.
 */
export function translateMountHelper(words: readonly string[]): string[] | undefined {
  const [source, directory, flag, list, ...rest] = words;
  const isHelper = flag === "-o" && list !== undefined && rest.length === 0;
  if (!isHelper || source === undefined || directory === undefined) return undefined;
  if (COMMANDS.includes(source) || source.startsWith("-") || directory.startsWith("-")) return undefined;
  const options = list.split(",").filter((option) => option !== "");
  if (options.includes("remount")) return ["remount", directory, list];
  const own: string[] = [];
  const others: string[] = [];
  for (const option of options) {
    const [name = "", ...value] = option.split("=");
    const known = name.replaceAll("-", "_");
    if (value.length > 0 && WITH_VALUE.includes(known)) own.push(`--${dashed(known)}=${value.join("=")}`);
    else if (value.length === 0 && SWITCHES.includes(known)) own.push(`--${dashed(known)}`);
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

function dashed(name: string): string {
  return name.replaceAll("_", "-");
}
