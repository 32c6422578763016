/**
 * VHD's structures as they lie on disk. Big-endian. Source: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0
 * (2006), "Hard Disk Footer Format" and "Dynamic Disk Header Format".
 */
import { guid, span, struct, text, u16be, u32be, u64be, u8 } from "../../bytes/struct.js";

/** The last sector of every image, and the first of those that are not fixed. */
export const Footer = struct("VHD footer", 512, {
  cookie: text(0, 8), // "conectix"
  features: u32be(8),
  version: u32be(12), // major << 16 | minor
  headerOffset: u64be(16), // bytes; all ones in a fixed image
  created: u32be(24), // seconds since 2000
  creator: text(28, 4),
  creatorVersion: u32be(32),
  creatorSystem: text(36, 4),
  originalSize: u64be(40), // bytes
  currentSize: u64be(48), // bytes
  cylinderCount: u16be(56),
  headCount: u8(58),
  sectorCount: u8(59), // of a track
  type: u32be(60),
  checksum: u32be(64),
  uuid: guid(68), // as VirtualBox reads its bytes; Microsoft prints them in the order in which they are stored
  isSavedState: u8(84),
});

/** The header of a dynamic or differencing image, to which the footer points. */
export const DynamicHeader = struct("VHD dynamic header", 1024, {
  cookie: text(0, 8), // "cxsparse"
  tableOffset: u64be(16), // bytes
  headerVersion: u32be(24),
  entryCount: u32be(28), // "Max Table Entries"
  blockSize: u32be(32), // bytes, without the sector bitmap
  headerChecksum: u32be(36),
  parentUuid: guid(40),
  parentModified: u32be(56), // seconds since 2000
  parentName: span(64, 512), // UTF-16 big-endian
});

/** Where the locators lie in the dynamic header, and how many there are. */
export const LOCATORS_OFFSET = 576;
export const LOCATOR_COUNT = 8;

/** A path of the parent as one platform writes it. */
export const ParentLocator = struct("VHD parent locator", 24, {
  platform: text(0, 4),
  dataSpace: u32be(4), // sectors by the specification, bytes in practice
  dataLength: u32be(8), // bytes
  dataOffset: u64be(16), // bytes
});
