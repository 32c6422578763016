/** The pure decoders and parsers: bytes in, a value or a DiskError out. */
import { formatGuid, parseGuid } from "../../../src/bytes/guid.js";
import { unpackLznt1 } from "../../../src/bytes/compression/lznt1.js";
import { unpackLzx } from "../../../src/bytes/compression/lzx.js";
import { unpackXpress } from "../../../src/bytes/compression/xpress.js";
import { describe, viewOf, type Fields, type Struct } from "../../../src/bytes/struct.js";
import { parseName, printName, printSentence } from "../../../src/bytes/text.js";
import { nameFromUtf16, utf16FromName } from "../../../src/bytes/utf16.js";
import { CorruptError } from "../../../src/errors.js";
import { aclFromDisk } from "../../../src/filesystem/ext/acl.js";
import { mendFooter, mendHeader } from "../../image/vhd/builder.js";
import * as extEntry from "../../../src/filesystem/ext/entry.js";
import * as extSuperblock from "../../../src/filesystem/ext/superblock.js";
import * as exfatBoot from "../../../src/filesystem/exfat/boot.js";
import * as exfatEntries from "../../../src/filesystem/exfat/entryset.js";
import * as fatBoot from "../../../src/filesystem/fat/boot.js";
import { codePage } from "../../../src/filesystem/fat/codepage.js";
import * as fatNames from "../../../src/filesystem/fat/names.js";
import { nonResident, residentValue, Type } from "../../../src/filesystem/ntfs/mft/attribute.js";
import { parseAttributeList } from "../../../src/filesystem/ntfs/mft/attribute-list.js";
import * as ntfsBoot from "../../../src/filesystem/ntfs/boot.js";
import { nameIn } from "../../../src/filesystem/ntfs/index/file-name.js";
import { applyFixups } from "../../../src/filesystem/ntfs/mft/fixup.js";
import { nfsNode } from "../../../src/filesystem/ntfs/posix/nfs.js";
import { childOf, isLast, keyOf, nextEntry, nodeAt } from "../../../src/filesystem/ntfs/index/node.js";
import { parseRecord } from "../../../src/filesystem/ntfs/mft/record.js";
import { parseAppExecLink, parseLink, parseReparse } from "../../../src/filesystem/ntfs/posix/reparse.js";
import { decodeRuns } from "../../../src/filesystem/ntfs/mft/run-list.js";
import { nameAt } from "../../../src/fuse/protocol/request.js";
import { readHeader } from "../../../src/image/vdi/header.js";
import { isVhd, readFooter } from "../../../src/image/vhd/footer.js";
import { headerRange, readHeader as readVhdHeader } from "../../../src/image/vhd/header.js";
import { parentOf } from "../../../src/image/vhd/parent.js";
import { decodeLocator } from "../../../src/image/vhd/parent-paths.js";
import { parseEntries } from "../../../src/volume/gpt/entries.js";
import { parseHeader } from "../../../src/volume/gpt/header.js";
import { parseMbr } from "../../../src/volume/mbr-sector.js";
import { Warnings } from "../../../src/volume/warnings.js";
import type { Entry, EntryParser } from "../../../src/filesystem/fat-common/directory.js";

export type Decode = (data: Buffer) => unknown;

const FILE = "input";
const RECORD = 1024;
const EXT_RULES: extEntry.EntryRules = { hasTypes: true, inodeCount: 1000, shown: (name) => name };
const SLOT = 32;

/** By name. Each may change its bytes, which are a copy. Those of packed bytes take a size from the first two. */
export const decoders: Readonly<Record<string, Decode>> = {
  lznt1: (data) => unpackLznt1(data.subarray(2), sizeIn(data, 65536)),
  xpress: (data) => unpackXpress(data.subarray(2), sizeIn(data, 65536)),
  lzx: (data) => unpackLzx(data.subarray(2), sizeIn(data, 32768)),
  ntfsRecord,
  ntfsAttributeList: (data) => parseAttributeList(data, 5, 0, FILE),
  ntfsReparse(data) {
    const reparse = parseReparse(data, 5, FILE);
    return [parseAppExecLink(reparse), nfsNode(reparse.data), parseLink(reparse, 5, FILE)];
  },
  ntfsIndex,
  ntfsName: nameIn,
  ntfsBoot: (data) => ntfsBoot.geometryOf(ntfsBoot.BootSector.view(padded(data, 512)), FILE, 0),
  extEntries: (data) =>
    extEntry.readEntries({ bytes: data, position: 0, offset: 0, file: FILE }, EXT_RULES, String),
  extAcl: (data) => aclFromDisk(data, FILE, 0),
  extSuperblock(data) {
    const bytes = padded(data, extSuperblock.SUPERBLOCK_SIZE);
    extSuperblock.superblockChecksumFits(bytes);
    return extSuperblock.geometryOf(extSuperblock.Superblock.view(bytes), FILE, 1024);
  },
  exfatBoot: (data) => exfatBoot.checkedBoot(padded(data, 512), FILE, 0),
  exfatEntries: (data) => {
    takeAll(exfatEntries.entryParser(FILE), data);
  },
  fatBoot(data) {
    const bytes = padded(data, 512);
    return fatBoot.implausible(bytes) ?? fatBoot.geometryOf(bytes, FILE, 0);
  },
  fatEntries: (data) => {
    takeAll(fatNames.entryParser(codePage("437")!), data);
  },
  gptHeader: (data) => parseHeader(padded(data, 512), FILE, 512, 512),
  gptEntries: (data) =>
    parseEntries(data, { entrySize: 128, sectorSize: 512, file: FILE, origin: 1024 }, new Warnings()),
  mbr: (data) => parseMbr(padded(data, 512)),
  vdiHeader: (data) => readHeader(padded(data, 512), FILE, 2 ** 20),
  vhd,
  vhdLocator: (data) =>
    ["W2ru", "W2ku", "MacX", "Wi2r", "Wi2k", "Mac "].map((platform) =>
      decodeLocator({ platform, offset: 0, length: data.length }, data),
    ),
  fuseName: (data) => nameAt(data, Math.min(8, data.length)),
  guid(data) {
    const bytes = padded(data, 16).subarray(0, 16);
    same(parseGuid(formatGuid(bytes)), bytes);
    return parseGuid(data.toString("latin1"));
  },
  printedName(data) {
    printSentence(data.toString("utf8"));
    same(parseName(printName(data)), data);
  },
  utf16Name(data) {
    const units = data.subarray(0, data.length & ~1);
    same(utf16FromName(nameFromUtf16(units)), units);
    const others = utf16FromName(data);
    if (others !== undefined) same(utf16FromName(nameFromUtf16(others)), others);
  },
};

/** Every structure, each field read. */
export function structDecoders(structs: readonly Struct<Fields>[]): Record<string, Decode> {
  return Object.fromEntries(
    structs.map((struct) => [struct.name, (data) => describe(struct, struct.view(data))]),
  );
}

/** A footer, and a header behind it. Their checksums are made to fit. */
function vhd(data: Buffer): unknown {
  const bytes = padded(data, 1536);
  bytes.write("conectix");
  bytes.write("cxsparse", 512);
  mendFooter(bytes, 0);
  mendHeader(bytes, 512);
  const ends = { name: FILE, size: 2 ** 20, head: bytes.subarray(0, 512), tail: bytes.subarray(0, 512) };
  if (!isVhd(ends)) throw new Error("a footer is no footer");
  const footer = readFooter(ends);
  const range = headerRange(footer, FILE);
  const header = readVhdHeader(bytes.subarray(512, 1536), range, footer, FILE);
  const paths = header.locators.map((locator) => decodeLocator(locator, data));
  return [header, parentOf(header, paths, FILE, range.start)];
}

function sizeIn(data: Buffer, limit: number): number {
  if (data.length < 2) return 1;
  return 1 + (data.readUInt16LE(0) % limit);
}

function padded(data: Buffer, size: number): Buffer {
  if (data.length >= size) return data;
  return Buffer.concat([data, Buffer.alloc(size - data.length)]);
}

function same(found: Buffer | undefined, expected: Buffer): void {
  if (found?.equals(expected) !== true)
    throw new Error(`${found?.toString("hex") ?? "nothing"} came back of ${expected.toString("hex")}`);
}

function ntfsRecord(data: Buffer): void {
  const bytes = padded(data, RECORD).subarray(0, RECORD);
  applyFixups(viewOf(bytes), 0, RECORD, 512);
  const record = parseRecord(bytes, 5, 0, FILE);
  for (const attribute of record.attributes) {
    try {
      if (!attribute.isResident) {
        decodeRuns(attribute, nonResident(attribute, FILE), FILE);
        continue;
      }
      const value = residentValue(attribute, FILE);
      if (attribute.type === Type.fileName) nameIn(value);
      if (attribute.type === Type.attributeList) parseAttributeList(value, 5, 0, FILE);
      if (attribute.type === Type.reparsePoint) parseReparse(value, 5, FILE);
      if (attribute.type === Type.indexRoot) ntfsIndex(value);
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
    }
  }
}

function ntfsIndex(data: Buffer): void {
  const node = nodeAt(data, 16, FILE, "an index");
  for (let at = node.first; at < node.end;) {
    const next = nextEntry(node, at);
    childOf(node, at, next);
    if (isLast(node, at)) break;
    nameIn(keyOf(node, at));
    at = next;
  }
}

function takeAll(parser: EntryParser, data: Buffer): void {
  const entries: Entry[] = [];
  for (let at = 0; at + SLOT <= data.length && !parser.isEnd; at += SLOT)
    parser.take(data, at, at / SLOT, at, entries);
  parser.skip(entries);
}
