/**
 * The names of partition types. The first part of each list has VirtualBox's names (IPRT, `RTDVMVOLTYPE`), so that
 * listings look like those of `vboximg-mount`; the second has the names that the types' owners use.
 */

/** The name of a type that no list has. */
const UNKNOWN = "Unknown";

/** The MBR's one-byte types. Source: UEFI section 5.2.1; util-linux, include/pt-mbr-partnames.h. */
const MBR_NAMES: Readonly<Record<number, string>> = {
  0x01: "FAT12",
  0x04: "FAT16",
  0x06: "FAT16",
  0x07: "NTFS",
  0x0b: "FAT32",
  0x0c: "FAT32",
  0x0e: "FAT16",
  0x42: "Windows LDM data partition",
  0x82: "Linux swap",
  0x83: "Linux native",
  0x8e: "Linux LVM",
  0xa5: "FreeBSD",
  0xa6: "OpenBSD",
  0xa9: "NetBSD",
  0xaf: "Mac OS X HFS or HFS+",
  0xbf: "Solaris",
  0xef: "EFI system partition",
  0xfd: "Linux SoftRaid",

  0x0a: "OS/2",
  0x11: "Hidden FAT12",
  0x12: "Diagnostics",
  0x14: "Hidden FAT16",
  0x16: "Hidden FAT16",
  0x17: "Hidden NTFS",
  0x1b: "Hidden FAT32",
  0x1c: "Hidden FAT32",
  0x1e: "Hidden FAT16",
  0x27: "Windows recovery partition",
  0x39: "Plan 9",
  0x41: "PowerPC PReP boot",
  0x63: "GNU Hurd or System V",
  0x80: "Minix",
  0x81: "Minix",
  0xa8: "Darwin UFS",
  0xab: "Darwin boot",
  0xb7: "BSDI",
  0xda: "Data without a file system",
  0xde: "Dell utilities",
  0xea: "Linux extended boot",
  0xeb: "BeOS",
  0xee: "GPT protective",
  0xfb: "VMware VMFS",
  0xfc: "VMware swap or core dump",
};

/** GPT type GUIDs, in lower case. Source: UEFI table 5.7; util-linux, include/pt-gpt-partnames.h. */
const GPT_NAMES: Readonly<Record<string, string>> = {
  "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI system partition",
  "e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved partition",
  "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Basic data partition",
  "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3": "Windows LDM metadata partition",
  "af9b60a0-1431-4f62-bc68-3311714a69ad": "Windows LDM data partition",
  "de94bba4-06d1-4d40-a16a-bfd50179d6ac": "Windows recovery partition",
  "e75caf8f-f680-4cee-afa3-b001e56efc2d": "Windows storage spaces",
  "37affc90-ef7d-4e96-91c3-2d7ae055b174": "IBM GPFS",
  "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux native",
  "a19d880f-05fc-4d3b-a006-743f0f84911e": "Linux SoftRaid",
  "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
  "e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
  "516e7cb4-6ecf-11d6-8ff8-00022d09712b": "FreeBSD",
  "516e7cb6-6ecf-11d6-8ff8-00022d09712b": "FreeBSD",
  "516e7cba-6ecf-11d6-8ff8-00022d09712b": "FreeBSD",
  "48465300-0000-11aa-aa11-00306543ecac": "Mac OS X HFS or HFS+",
  "7c3457ef-0000-11aa-aa11-00306543ecac": "Mac OS X APFS",
  "6a85cf4d-1dd2-11b2-99a6-080020736631": "Solaris",
  "49f48d5a-b10e-11dc-b99b-0019d1879648": "NetBSD",
  "824cc7a0-36a8-11e3-890a-952519ad3f61": "OpenBSD",

  "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
  "024dee41-33e7-11d3-9d69-0008c781f39f": "MBR partition scheme",
  "83bd6b9d-7f41-11dc-be0b-001560b84f0f": "FreeBSD boot",
  "516e7cb5-6ecf-11d6-8ff8-00022d09712b": "FreeBSD swap",
  "6a898cc3-1dd2-11b2-99a6-080020736631": "Solaris /usr, or Apple ZFS",
  "426f6f74-0000-11aa-aa11-00306543ecac": "Apple boot",
  "52414944-0000-11aa-aa11-00306543ecac": "Apple RAID",
  "53746f72-6167-11aa-aa11-00306543ecac": "Apple Core Storage",
  "bc13c2ff-59e6-4262-a352-b275fd6f7172": "Linux extended boot",
  "ca7d7ccb-63ed-4c53-861c-1742536059cc": "Linux LUKS",
  "933ac7e1-2eb4-4f13-b844-0e14e2aef915": "Linux /home",
  "3b8f8425-20e0-4f3b-907f-1a25a76f98e8": "Linux /srv",
  "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root (x86-64)",
  "44479540-f297-41b2-9af7-d131d5f0458a": "Linux root (x86)",
  "b921b045-1df0-41c3-af44-4c6f280d3fae": "Linux root (ARM-64)",
  "69dad710-2ce4-4e3c-b16c-21a1d49abed3": "Linux root (ARM)",
  "72ec70a6-cf74-40e6-bd49-4bda08e8f224": "Linux root (RISC-V-64)",
  "5eead9a9-fe09-4a1e-a1d7-520d00531306": "Linux root (S390X)",
  "c31c45e6-3f39-412e-80fb-4809c4980599": "Linux root (PPC64LE)",
  "4d21b016-b534-45c2-a9fb-5c16e091fd2d": "Linux /var",
  "8da63339-0007-60c0-c436-083ac8230908": "Linux reserved",
  "9d275380-40ad-11db-bf97-000c2911d1b8": "VMware core dump",
  "aa31e02a-400f-11db-9590-000c2911d1b8": "VMware VMFS",
  "9198effc-31c0-11db-8f78-000c2911d1b8": "VMware reserved",
  "fe3a2a5d-4f32-41a7-b725-accc3285a309": "ChromeOS kernel",
  "3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec": "ChromeOS root",
};

export function mbrTypeName(type: number): string {
  return MBR_NAMES[type] ?? UNKNOWN;
}

/** @param type the GUID in lower case. */
export function gptTypeName(type: string): string {
  return GPT_NAMES[type] ?? UNKNOWN;
}

/** Types that hold no root file system: boot loaders', swap space, parts of a system, vendors' tools. */
const OTHERS =
  /^(?:EFI |Hidden |Microsoft reserved|Linux (?:swap|extended boot|reserved|\/)|BIOS boot|Windows (?:recovery|LDM metadata)|PowerPC|ChromeOS kernel|Apple (?:boot|RAID)|FreeBSD (?:boot|swap)|Darwin boot|Diagnostics|Dell|Data without|VMware)/;

/** Returns what partitions of the type called `name` have: a root file system, or something else; undefined if either. */
export function roleOf(name: string): "root" | "other" | undefined {
  if (/^(?:Linux|ChromeOS) root\b/.test(name)) return "root";
  return OTHERS.test(name) ? "other" : undefined;
}
