/** The node tree of a FAT or exFAT, from the functions of the file system that differ. */
import { LRUCache } from "lru-cache";
import { CorruptError } from "../../errors.js";
import type { NodeId, NodeTree, Usage } from "../filesystem.js";
import { attributesOf, type Times } from "./attributes.js";
import type { Allocation } from "./chain.js";
import type { Claim, ClaimParser } from "./claims.js";
import { contentsOf } from "./contents.js";
import { clusterDirectory, type Directory, type EntryParser } from "./directory.js";
import type { Heap } from "./heap.js";
import { listing, type Fold } from "./listing.js";
import { clustersOf, ROOT_ID, type ClusterNode } from "./node.js";
import { owners } from "./owners.js";

export interface ClusterFormat<Node extends ClusterNode> {
  readonly heap: Heap;
  readonly fold: Fold;
  readonly newParser: () => EntryParser;
  /** @throws {CorruptError} if there is no such node. */
  readonly readNode: (id: NodeId) => Promise<Node>;
  /** Undefined for the root. */
  timesOf(node: Node): Times | undefined;
  /** The root directory, if it is not in clusters; else `rootCluster` is its first. */
  readonly fixedRoot?: Directory;
  readonly rootCluster: number;
  readonly newClaimParser: () => ClaimParser;
  /** The clusters of the file system's own tables, which are in no directory. */
  readonly reserved?: readonly Claim[];
  usage(): Promise<Usage>;
}

/** Chains that are cached: 256 KiB each at most, mostly a few bytes. */
const ALLOCATIONS_KEPT = 128;

/** The extended attribute that holds the DOS attributes, one byte, as in ntfs3. Source: Linux, fs/ntfs3/xattr.c, SYSTEM_DOS_ATTRIB. */
const DOS_ATTRIBUTES = "system.dos_attrib";

export function clusterTree<Node extends ClusterNode>(format: ClusterFormat<Node>): NodeTree {
  const { heap, fixedRoot } = format;
  const names = listing(heap, format.newParser, format.fold);
  const allocations = new LRUCache<NodeId, Allocation>({ max: ALLOCATIONS_KEPT });
  const own = owners({
    heap,
    newParser: format.newClaimParser,
    root: fixedRoot ?? rootClaim(format.rootCluster),
    reserved: format.reserved ?? [],
  });
  let usage: Promise<Usage> | undefined;

  /** The clusters of `node`. A file has only those that are its own. */
  function allocationOf(node: Node): Allocation {
    let allocation = allocations.get(node.id);
    if (allocation === undefined) {
      allocation = clustersOf(heap, node);
      if (!node.isDirectory) allocation = own.restrict(allocation, node.of);
      allocations.set(node.id, allocation);
    }
    return allocation;
  }

  async function nodeOf(id: NodeId, isDirectory: boolean): Promise<Node> {
    const node = await format.readNode(id);
    if (node.isDirectory !== isDirectory) throw kindError(heap, node, isDirectory ? "a directory" : "a file");
    return node;
  }

  function directoryOf(node: Node): Directory {
    if (node.id === ROOT_ID && fixedRoot !== undefined) return fixedRoot;
    return clusterDirectory(heap, node, allocationOf(node));
  }

  async function directory(id: NodeId): Promise<Directory> {
    return directoryOf(await nodeOf(id, true));
  }

  return {
    root: ROOT_ID,
    async attributes(id) {
      const node = await format.readNode(id);
      const size = node.size ?? (await directoryOf(node).reach(Infinity)).size;
      return attributesOf(heap, node, size, format.timesOf(node));
    },
    lookup: async (id, name, signal) => names.find(await directory(id), name, signal),
    page: async (id, cookie, options) => names.page(await directory(id), cookie, options),
    async readLink(id) {
      throw kindError(heap, await format.readNode(id), "a symbolic link, which there are none of here");
    },
    async open(id) {
      const node = await nodeOf(id, false);
      return contentsOf(heap, allocationOf(node), { ...node, size: node.size ?? 0 });
    },
    async extendedAttributes(id) {
      const { dosAttributes } = await format.readNode(id);
      return new Map(dosAttributes === undefined ? [] : [[DOS_ATTRIBUTES, Buffer.from([dosAttributes])]]);
    },
    async usage() {
      usage ??= format.usage().catch((error: unknown) => {
        usage = undefined; // a failure of the host may be temporary
        throw error;
      });
      return usage;
    },
  };
}

function rootClaim(first: number): Claim {
  return { first, wanted: Infinity, isContiguous: false, isDirectory: true };
}

function kindError({ volume }: Heap, { entryOffset, of }: ClusterNode, expected: string): CorruptError {
  return new CorruptError({
    file: volume.name,
    offset: entryOffset,
    thing: "this entry",
    found: `a ${of}`,
    expected,
  });
}
