/** One thing that is tried: makes inputs, runs them, and can tell and shorten them. Inputs are plain data, for JSON. */
import type { Random } from "./random.js";

export interface Target<Input> {
  make(random: Random): Input;
  /** Runs `input`, which may be one of another time. @throws whatever is wrong; a Finding where that is no exception. */
  run(input: Input): Promise<void> | void;
  /** Inputs that are simpler than `input`, the simplest first. */
  simpler(input: Input): Iterable<Input>;
  /** What `input` is about: findings of the same kind in another such are other findings. */
  label(input: Input): string;
}
