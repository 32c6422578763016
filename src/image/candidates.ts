/**
 * The images that have been looked at in the search for parents. Each file is opened once, however deep the chain is;
 * some stay open until they are taken for a parent, since most images beside a chain belong to it.
 */
import { fstatSync } from "node:fs";
import { dirname } from "node:path";
import { CorruptError, DeniedError, DiskError } from "../errors.js";
import type { Gate } from "../storage/gate.js";
import type { Copy } from "./copies.js";
import { openImage } from "./formats.js";
import type { Identity, Image, ImageFacts, ImageFormat } from "./image.js";

/** An image that may be a parent. */
export interface Candidate extends Copy, ImageFacts {}

export interface Candidates {
  /** Why files could not be opened, by their path as it was found. */
  readonly failures: ReadonlyMap<string, DiskError>;
  /** Files that were looked at. */
  readonly count: number;
  /**
   * Looks at the file `path`, unless that was done before.
   * @param options `format`: the only format that is tried. `isLikely`: whether the reason of a failure is kept.
   * @returns undefined where it cannot be opened.
   */
  look(path: string, options?: LookOptions): Promise<Candidate | undefined>;
  /** The candidates with this UUID. */
  withUuid(uuid: string): Candidate[];
  /**
   * Opens a candidate; it is the caller's to close.
   * @throws {CorruptError} where another image is at its place by now.
   */
  take(candidate: Candidate): Promise<Image>;
  /** Closes the images that stay open. */
  release(): Promise<void>;
}

export interface LookOptions {
  readonly format?: string | undefined;
  readonly isLikely?: boolean;
}

/** Images that stay open between being looked at and being taken. */
const KEPT_OPEN_LIMIT = 256;

/** Files that cannot be opened of which the reason is kept. */
const FAILURES_LIMIT = 1000;

/**
 * @param registered the UUIDs that files are registered with, by path.
 * @param isInside whether a resolved path lies within the allowed folders.
 */
export function openCandidates(
  gate: Gate,
  formats: readonly ImageFormat[],
  registered: ReadonlyMap<string, string>,
  isInside: (path: string) => boolean,
): Candidates {
  const byPath = new Map<string, Promise<Candidate | undefined>>();
  /** By UUID, then by path without symbolic links. */
  const byUuid = new Map<string, Map<string, Candidate>>();
  const formatOf = new Map<Candidate, string | undefined>();
  const kept = new Map<Candidate, Image>();
  const failures = new Map<string, DiskError>();

  /** Opens `path`. An image without an identity has the one that it is registered with. */
  async function open(path: string, format?: string): Promise<{ image: Image; identity?: Identity }> {
    const among = format === undefined ? formats : formats.filter(({ name }) => name === format);
    const image = await openImage(await gate.open(path), gate, among);
    if (image.identity !== undefined) return { image, identity: image.identity };
    const { location } = image.files[0];
    const uuid = registered.get(path);
    if (isInside(location)) return { image, ...(uuid !== undefined && { identity: { uuid } }) };
    await image.close();
    // A machine's file comes with the image, and is no more to be trusted: it must not show any file at all.
    throw new DeniedError({
      file: path,
      thing:
        "this file is registered as an image, but nothing in it says so, and it lies outside the folders",
      hint: `allow it with --allow-dir ${JSON.stringify(dirname(location))}`,
    });
  }

  async function lookAnew(
    path: string,
    { format, isLikely = true }: LookOptions,
  ): Promise<Candidate | undefined> {
    try {
      const { image, identity } = await open(path, format);
      const [file] = image.files;
      const others = identity && byUuid.get(identity.uuid);
      const known = others?.get(file.location);
      if (known !== undefined) {
        await image.close();
        return known;
      }
      const candidate: Candidate = {
        path,
        realPath: file.location,
        size: file.size,
        modified: file.fd === undefined ? 0 : fstatSync(file.fd).mtimeMs,
        format: image.format,
        ...(identity !== undefined && { identity }),
      };
      if (identity !== undefined)
        byUuid.set(identity.uuid, (others ?? new Map<string, Candidate>()).set(file.location, candidate));
      formatOf.set(candidate, format);
      if (kept.size < KEPT_OPEN_LIMIT) kept.set(candidate, image);
      else await image.close();
      return candidate;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (isLikely && failures.size < FAILURES_LIMIT) failures.set(path, error);
      return undefined;
    }
  }

  return {
    failures,
    get count() {
      return byPath.size;
    },
    look(path, options = {}) {
      const key = `${options.format ?? ""}:${path}`;
      const known = byPath.get(key) ?? lookAnew(path, options);
      byPath.set(key, known);
      return known;
    },
    withUuid: (uuid) => [...(byUuid.get(uuid)?.values() ?? [])],
    async take(candidate) {
      const keptImage = kept.get(candidate);
      kept.delete(candidate);
      if (keptImage !== undefined) return keptImage;
      const { image, identity } = await open(candidate.path, formatOf.get(candidate));
      if (identity?.uuid === candidate.identity?.uuid) return image;
      await image.close();
      throw new CorruptError({
        file: candidate.path,
        thing: "this image was replaced while it was being opened",
      });
    },
    async release() {
      const images = [...kept.values()];
      kept.clear();
      await Promise.all(images.map((image) => image.close()));
    },
  };
}
