/** Which blocks of the sources have run, as V8 counts them. */
import { Session } from "node:inspector";

interface FunctionCoverage {
  readonly ranges: readonly {
    readonly startOffset: number;
    readonly endOffset: number;
    readonly count: number;
  }[];
}

interface ScriptCoverage {
  readonly scriptId: string;
  readonly url: string;
  readonly functions: readonly FunctionCoverage[];
}

/** @param part what the addresses of the scripts have in them that are looked at. @returns the blocks that ran since the last call. */
export function startCoverage(part: string): () => Set<string> {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  return () => {
    const blocks = new Set<string>();
    // The inspector answers at once: it is this very thread's.
    session.post("Profiler.takePreciseCoverage", (_error, { result }: { result: ScriptCoverage[] }) => {
      for (const { scriptId, url, functions } of result) {
        if (!url.includes(part)) continue;
        for (const { ranges } of functions)
          for (const { startOffset, endOffset, count } of ranges)
            if (count > 0) blocks.add(`${scriptId} ${startOffset} ${endOffset}`);
      }
    });
    return blocks;
  };
}
