/**
 * Reads a media registry: a machine's own, or, before VirtualBox 4.0, the one of all machines in `VirtualBox.xml`.
 * Source: VirtualBox src/VBox/Main/xml/VirtualBox-settings.xsd, TMediaRegistry, THardDisk and TImage2.
 */
import { UnsupportedError } from "../../errors.js";
import type { Medium } from "../machine.js";
import { child, childrenOf, type Element } from "./xml.js";

/** A medium as it is registered, without the path of its file. */
export interface MediumEntry extends Omit<Medium, "path" | "children"> {
  readonly children: readonly MediumEntry[];
}

/** Enough for 250 snapshots of forty disks. Each medium takes a few system calls. */
const MEDIA_LIMIT = 10_000;

/** Prefix of properties that only encrypted disks have. Source: VirtualBox MediumImpl.cpp. */
const ENCRYPTION = "CRYPT/";

/**
 * Returns all media in `registry`, an element of `file`: base images, with their children.
 * @throws {UnsupportedError} if there are more than the limit.
 */
export function readMedia(registry: Element | undefined, file: string): MediumEntry[] {
  let count = 0;
  const read = (element: Element, kind: Medium["kind"], isInEncrypted: boolean): MediumEntry[] => {
    if (++count > MEDIA_LIMIT) {
      const thing = "the number of media";
      throw new UnsupportedError({ file, thing, found: "larger", expected: `at most ${MEDIA_LIMIT}` });
    }
    const { uuid, location, src, format, type } = element.attributes;
    const place = location ?? src; // src: until version 1.3
    const isEncrypted =
      isInEncrypted ||
      element.children.some(
        ({ name, attributes }) => name === "Property" && attributes["name"]?.startsWith(ENCRYPTION) === true,
      );
    const children = childrenOf(element, "HardDisk").flatMap((inner) => read(inner, kind, isEncrypted));
    if (uuid === undefined || place === undefined) return children;
    const description = child(element, "Description")?.text.trim();
    const medium = {
      uuid: uuidOf(uuid),
      kind,
      location: place,
      ...(format !== undefined && { format }),
      ...(type !== undefined && { type: type.toLowerCase() }),
      ...(description !== undefined && description !== "" && { description }),
      isEncrypted,
      children,
    };
    return [medium];
  };
  const readAll = (list: string, element: string, kind: Medium["kind"]): MediumEntry[] =>
    childrenOf(child(registry, list), element).flatMap((inner) => read(inner, kind, false));
  return [
    ...readAll("HardDisks", "HardDisk", "disk"),
    ...readAll("DVDImages", "Image", "dvd"),
    ...readAll("FloppyImages", "Image", "floppy"),
  ];
}

/** Normalizes a UUID: lower case, without braces. */
export function uuidOf(written: string): string {
  const isPlain = written.length === 38 && written.startsWith("{") && written.endsWith("}");
  return (isPlain ? written.slice(1, 37) : written.replace(/[{}\s]/g, "")).toLowerCase();
}
