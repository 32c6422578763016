/**
 * Parses what a machine's settings file (`<name>.vbox`; `<name>.xml` before VirtualBox 4.0) says about its disks. All
 * versions since 1.3 have the same elements; only the controllers are in one of two places.
 * Source: VirtualBox src/VBox/Main/xml/VirtualBox-settings.xsd, TMachine, TSnapshot and TStorageControllers;
 * Settings.cpp, MachineConfigFile::write, for encrypted machines.
 */
import type { Timestamp } from "../../bytes/time.js";
import { UnsupportedError } from "../../errors.js";
import type { MachineState } from "../machine.js";
import { readMedia, uuidOf, type MediumEntry } from "./media.js";
import { child, childrenOf, readXml, type Element } from "./xml.js";

export interface MachineSettings {
  readonly uuid: string;
  readonly name: string;
  readonly description?: string;
  readonly state: MachineState;
  readonly currentSnapshot?: string;
  /** As in the file; "Snapshots" by default. */
  readonly snapshotFolder?: string;
  readonly media: readonly MediumEntry[];
  readonly attachments: readonly Attachment[];
  readonly snapshot?: SnapshotSettings;
  /** Set if the settings are encrypted: nothing else is known then. */
  readonly problem?: string;
}

export interface SnapshotSettings {
  readonly uuid: string;
  readonly name: string;
  readonly description?: string;
  readonly taken?: Timestamp;
  readonly isOnline: boolean;
  readonly attachments: readonly Attachment[];
  readonly children: readonly SnapshotSettings[];
}

/** A medium that is attached to a controller. */
export interface Attachment {
  /** "SATA 0:0". */
  readonly slot: string;
  readonly isDisk: boolean;
  readonly uuid: string;
}

/**
 * Parses `xml`, the text of `file`.
 * @throws {CorruptError} if it is no XML.
 * @throws {UnsupportedError} if it does not describe a machine of VirtualBox.
 */
export function parseSettings(xml: string, file: string): MachineSettings {
  const root = readXml(xml, file);
  const machine = root.name === "VirtualBox" ? child(root, "Machine") : undefined;
  const encrypted = root.name === "VirtualBox" ? child(root, "MachineEncrypted") : undefined;
  const { uuid, name, aborted, stateFile, currentSnapshot, snapshotFolder } =
    (machine ?? encrypted)?.attributes ?? {};
  if (uuid === undefined || (machine !== undefined && name === undefined)) {
    throw new UnsupportedError({ file, thing: "this file does not describe a VirtualBox machine" });
  }
  if (machine === undefined) {
    const problem = `${file}: this machine's settings are encrypted, so its disks are not known; decrypt it in VirtualBox first`;
    const nothing = { media: [], attachments: [], problem };
    return { uuid: uuidOf(uuid), name: name ?? "", state: "inaccessible", ...nothing };
  }
  const snapshot = child(machine, "Snapshot");
  return {
    uuid: uuidOf(uuid),
    name: name!,
    ...descriptionOf(machine),
    state:
      aborted === "true" || aborted === "1" ? "aborted" : stateFile === undefined ? "powered off" : "saved",
    ...(currentSnapshot !== undefined && { currentSnapshot: uuidOf(currentSnapshot) }),
    ...(snapshotFolder !== undefined && { snapshotFolder }),
    media: readMedia(child(machine, "MediaRegistry"), file),
    attachments: attachmentsOf(machine),
    ...(snapshot !== undefined && { snapshot: readSnapshot(snapshot) }),
  };
}

/** The recursion is limited by the depth of the XML. */
function readSnapshot(element: Element): SnapshotSettings {
  const { uuid = "", name = "", timeStamp, stateFile } = element.attributes;
  const taken = timeStamp === undefined ? undefined : timestampOf(timeStamp);
  return {
    uuid: uuidOf(uuid),
    name,
    ...descriptionOf(element),
    ...(taken !== undefined && { taken }),
    isOnline: stateFile !== undefined,
    attachments: attachmentsOf(element),
    children: childrenOf(child(element, "Snapshots"), "Snapshot").map(readSnapshot),
  };
}

/** Returns the attachments of a machine or a snapshot. The controllers are in its hardware or, until version 1.18, beside it. */
function attachmentsOf(element: Element): Attachment[] {
  const hardware = child(element, "Hardware");
  const attachments: Attachment[] = [];
  for (const controllers of [child(element, "StorageControllers"), child(hardware, "StorageControllers")]) {
    for (const controller of childrenOf(controllers, "StorageController")) {
      for (const device of childrenOf(controller, "AttachedDevice")) {
        const { type, port = "0", device: number = "0" } = device.attributes;
        const uuid = child(device, "Image")?.attributes["uuid"];
        if (uuid === undefined) continue; // an empty drive, or a drive of the host
        const slot = `${controller.attributes["name"] ?? ""} ${port}:${number}`.trim();
        attachments.push({ slot, isDisk: type === "HardDisk", uuid: uuidOf(uuid) });
      }
    }
  }
  // Until version 1.6.
  for (const old of childrenOf(child(element, "HardDiskAttachments"), "HardDiskAttachment")) {
    const { hardDisk, bus = "", channel = "0", device = "0" } = old.attributes;
    if (hardDisk === undefined) continue;
    attachments.push({ slot: `${bus} ${channel}:${device}`.trim(), isDisk: true, uuid: uuidOf(hardDisk) });
  }
  // Until version 1.8.
  for (const [name, slot] of [
    ["DVDDrive", "DVD"],
    ["FloppyDrive", "Floppy"],
  ] as const) {
    const uuid = child(child(hardware, name), "Image")?.attributes["uuid"];
    if (uuid !== undefined) attachments.push({ slot, isDisk: false, uuid: uuidOf(uuid) });
  }
  return attachments;
}

function descriptionOf(element: Element): { description?: string } {
  const text = child(element, "Description")?.text.trim();
  return text === undefined || text === "" ? {} : { description: text };
}

/** Parses `2025-12-19T17:01:46Z`; undefined for anything else. */
function timestampOf(text: string): Timestamp | undefined {
  const milliseconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(milliseconds)) return undefined;
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: (milliseconds - seconds * 1000) * 1e6 };
}
