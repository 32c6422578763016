/**
 * Imported before a worker: every cache has few places. lru-cache makes room for all of them at once, which took half of
 * the time of opening an image; and what happens when a cache is full is tried this way, too.
 */
import { register } from "node:module";

const PLACES = 64;

const cache = `
import { LRUCache as Large } from "${import.meta.resolve("lru-cache")}";
export class LRUCache extends Large {
  constructor(options) {
    super(options.max === undefined ? options : { ...options, max: Math.min(options.max, ${PLACES}) });
  }
}`;
const address = `data:text/javascript,${encodeURIComponent(cache)}`;
const hooks = `
export const resolve = (specifier, context, next) =>
  specifier === "lru-cache"
    ? { url: ${JSON.stringify(address)}, format: "module", shortCircuit: true }
    : next(specifier, context);`;

register(`data:text/javascript,${encodeURIComponent(hooks)}`);
