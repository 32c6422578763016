/** The interface of a backend: a way to serve a tree of nodes through FUSE. */
import type { Logger } from "pino";
import type { NodeTree } from "../filesystem/filesystem.js";

export interface FuseOptions {
  /** The source that the mount table shows: the image's path. */
  readonly source: string;
  /** Whether other users may use the mount; an ordinary user needs `user_allow_other` in /etc/fuse.conf for that. */
  readonly allowOther: boolean;
  /** Whether root may use the mount, besides the user who mounts it. */
  readonly allowRoot: boolean;
  /** Further mount options, as for `mount -o`. */
  readonly extra: readonly string[];
  readonly log: Logger;
}

/** A mount that is being served. */
export interface FuseMount {
  /** Resolves when the mount has ended, whatever ended it; rejects if serving it failed. */
  readonly ended: Promise<void>;
  /** Unmounts. With `lazy`, detaches the mount even if files are open. */
  unmount(lazy: boolean): Promise<void>;
}

/** The names of the backends, in the order in which "auto" tries them. */
export const backendNames = ["native", "fuse-native"] as const;

export interface FuseBackend {
  readonly name: (typeof backendNames)[number];
  /** Why it cannot serve on this machine; `undefined` if it can. */
  unavailable(): Promise<string | undefined>;
  /** Mounts `tree` on the directory `mountPoint`. Resolves once INIT has been answered and requests are served. */
  mount(tree: NodeTree, mountPoint: string, options: FuseOptions): Promise<FuseMount>;
}
