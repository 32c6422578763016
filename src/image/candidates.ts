/**
 * The images that have been looked at in the search for parents. Each file is opened once, however deep the chain is, and
 * once more if a child names a format that probing does not find. Some images stay open until they are taken for a
 * parent, since most images beside a chain belong to it.
 */
import { dirname } from "node:path";
import { CorruptError, DeniedError, DiskError } from "../errors.js";
import { closeAll, closeOnError } from "../storage/closing.js";
import { fileFacts } from "../storage/file.js";
import { openGate, type Gate } from "../storage/gate.js";
import type { Copy } from "./copies.js";
import { openImageAs, type OpenedImage } from "./formats.js";
import type { Identity, ImageFacts, ImageFormat } from "./image.js";

/** An image that may be a parent. */
export interface Candidate extends Copy, ImageFacts {
  /** The device and inode of its first file; absent where the host does not tell. */
  readonly inode?: string;
}

/** A candidate that has been opened. */
export interface TakenCandidate extends OpenedImage {
  /** What it is now: it may have been written to since it was looked at. */
  readonly facts: ImageFacts;
}

export interface Candidates {
  /** Why files could not be opened, by their path as it was found. */
  readonly failures: ReadonlyMap<string, DiskError>;
  /** The number of files that were looked at. */
  readonly count: number;
  /**
   * Looks at the file `path`, unless that has been done before.
   * @returns undefined if it cannot be opened.
   */
  look(path: string, options?: LookOptions): Promise<Candidate | undefined>;
  /** Returns the candidates with this UUID. */
  withUuid(uuid: string): Candidate[];
  /**
   * Opens a candidate; it is the caller's to close.
   * @throws {CorruptError} if another image has been put in its place.
   */
  take(candidate: Candidate): Promise<TakenCandidate>;
  /** Closes the images that stay open. */
  release(): Promise<void>;
}

export interface LookOptions {
  /** The only format that is tried; all of them by default. */
  readonly format?: string | undefined;
  /** Whether the reason of a failure is kept; true by default. */
  readonly isLikely?: boolean;
}

export interface CandidateOptions {
  /** Opens the candidates. */
  readonly gate: Gate;
  /** The folders that are allowed: files that candidates name may lie in them. */
  readonly roots: readonly string[];
  readonly formats: readonly ImageFormat[];
  /** The UUIDs that files are registered with, by path. */
  readonly registered: ReadonlyMap<string, string>;
  /** Returns whether a path without symbolic links lies below `roots`. */
  readonly isInside: (path: string) => boolean;
}

/** Images that stay open between being looked at and being taken. */
const KEPT_OPEN_LIMIT = 256;

/** Files that cannot be opened of which the reason is kept. */
const FAILURES_LIMIT = 1000;

/** In place of a format's name, if any may be tried. */
const ANY = "";

/** An opened candidate with the identity that it is searched by. */
interface Opened extends OpenedImage {
  readonly identity?: Identity;
}

export function openCandidates(options: CandidateOptions): Candidates {
  const { gate, roots, formats, registered, isInside } = options;
  /** By path, then by the format that was asked for. */
  const byPath = new Map<string, Map<string, Promise<Candidate | undefined>>>();
  const byUuid = new Map<string, Candidate[]>();
  /** The formats that were asked for. */
  const formatOf = new Map<Candidate, string | undefined>();
  const kept = new Map<Candidate, OpenedImage>();
  const failures = new Map<string, DiskError>();
  /** The gate for the files that candidates name. It does not allow what is registered: that need not be theirs. */
  const sharedGate = openGate(roots);

  /** Opens `path`. An image without a UUID has the one that it is registered with. */
  async function open(path: string, format?: string): Promise<Opened> {
    const file = await gate.open(path);
    const isWithinRoots = isInside(file.location);
    const inner = await closeOnError(file, () =>
      isWithinRoots ? sharedGate : openGate([...roots, dirname(file.location)]),
    );
    const opened = await openImageAs(format, file, inner, formats);
    const { identity } = opened.image;
    if (identity?.uuid !== undefined) return { ...opened, identity };
    const uuid = registered.get(path);
    if (isWithinRoots)
      return { ...opened, ...((identity ?? uuid) && { identity: { ...identity, ...(uuid && { uuid }) } }) };
    await opened.image.close();
    // The settings may come from a stranger, like the image, and must not be able to show any file of the host.
    throw new DeniedError({
      file: path,
      thing:
        "this file is registered as an image, but nothing in it says so, and it lies outside the folders",
      hint: `allow it with --allow-dir ${JSON.stringify(dirname(file.location))}`,
    });
  }

  async function lookAnew(path: string, format: string | undefined): Promise<Candidate> {
    const opened = await open(path, format);
    const { image, isProbed } = opened;
    const fresh = await closeOnError(image, () => candidateOf(path, opened));
    const uuid = fresh.identity?.uuid;
    const others = uuid === undefined ? [] : (byUuid.get(uuid) ?? []);
    // One file may be reached by several paths.
    const known = others.find((one) => one.realPath === fresh.realPath && one.format === fresh.format);
    const candidate = known ?? fresh;
    // Whoever asks for this format, or for any that probing finds, need not open the file again.
    for (const asked of isProbed ? [image.format, ANY] : [image.format])
      byPath.get(path)?.set(asked, Promise.resolve(candidate));
    if (known === undefined) {
      if (uuid !== undefined) byUuid.set(uuid, [...others, fresh]);
      formatOf.set(fresh, format);
    }
    if (known === undefined && kept.size < KEPT_OPEN_LIMIT) kept.set(fresh, opened);
    else await image.close();
    return candidate;
  }

  async function lookOrFail(
    path: string,
    { format, isLikely = true }: LookOptions,
  ): Promise<Candidate | undefined> {
    try {
      return await lookAnew(path, format);
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
      const byFormat = byPath.get(path) ?? new Map<string, Promise<Candidate | undefined>>();
      byPath.set(path, byFormat);
      const asked = options.format ?? ANY;
      const known = byFormat.get(asked) ?? lookOrFail(path, options);
      byFormat.set(asked, known);
      return known;
    },
    withUuid: (uuid) => byUuid.get(uuid) ?? [],
    async take(candidate) {
      const known = kept.get(candidate);
      kept.delete(candidate);
      if (known !== undefined) return { ...known, facts: candidate };
      const opened = await open(candidate.path, formatOf.get(candidate));
      return closeOnError(opened.image, () => {
        const now = candidateOf(candidate.path, opened);
        if (!isSameFile(now, candidate)) throw replaced(candidate);
        return { ...opened, facts: now };
      });
    },
    async release() {
      const images = [...kept.values()].map(({ image }) => image);
      kept.clear();
      await closeAll(images);
    },
  };
}

function candidateOf(path: string, { image, identity }: Opened): Candidate {
  const [file] = image.files;
  return {
    ...fileFacts(file),
    format: image.format,
    ...(identity && { identity }),
    path,
    realPath: file.location,
    size: file.size,
  };
}

/** The contents may differ: `ParentReference.matches` judges them. */
function isSameFile(a: Candidate, b: Candidate): boolean {
  return a.inode === b.inode && a.format === b.format && a.identity?.uuid === b.identity?.uuid;
}

/** The error about a file that is no longer the image that was looked at. */
export function replaced({ path }: Candidate): CorruptError {
  return new CorruptError({
    file: path,
    thing: "this image was replaced by another while it was being opened",
    hint: "try again",
  });
}
