/** The small interface behind which the ways to reach the kernel stand. */
import type { Logger } from "pino";
import type { NodeTree } from "../filesystem/filesystem.js";

export interface FuseOptions {
  /** What the mount table shows as the source: the image's path. */
  readonly source: string;
  /** Let other users see the mount; an ordinary user needs `user_allow_other` in /etc/fuse.conf. */
  readonly allowOther: boolean;
  readonly allowRoot: boolean;
  /** Further mount options, as after `-o`. */
  readonly extra: readonly string[];
  readonly log: Logger;
}

/** A mount that is being served. */
export interface FuseMount {
  /** Settles when the mount has ended, whoever ended it; rejects when serving failed. */
  readonly ended: Promise<void>;
  /** Unmounts; with `lazy`, detaches even where files are still open. */
  unmount(lazy: boolean): Promise<void>;
}

/** In the order in which "auto" tries them. */
export const backendNames = ["native", "fuse-native"] as const;

export interface FuseBackend {
  readonly name: (typeof backendNames)[number];
  /** Why it cannot serve on this machine; `undefined` where it can. */
  unavailable(): Promise<string | undefined>;
  /** Mounts `tree` on the directory `mountPoint`. Answers when the kernel has been greeted and requests are served. */
  mount(tree: NodeTree, mountPoint: string, options: FuseOptions): Promise<FuseMount>;
}
