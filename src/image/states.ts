/** Images by their states: what is the same for every format. */
import { MissingError } from "../errors.js";
import { closeAll } from "../storage/closing.js";
import { CURRENT, type Image, type ImageState, type Layer } from "./image.js";

/** A layer without what `imageWithStates` adds. */
export type StateContents = Omit<Layer, "image" | "state">;

/** Returns an image of which `contentsOf` opens each state. */
export function imageWithStates(
  image: Omit<Image, "layer" | "close">,
  contentsOf: (state: ImageState) => StateContents | Promise<StateContents>,
): Image {
  const { files, format, states } = image;
  const whole: Image = {
    ...image,
    async layer(id = states[0].id) {
      const state = states.find((one) => one.id === id);
      if (state !== undefined) return { ...(await contentsOf(state)), image: whole, state };
      const names = states.slice(1).map(({ name }) => JSON.stringify(name));
      const hint = names.length > 0 ? `there are: ${names.join(", ")}` : `this ${format} image has none`;
      throw new MissingError({
        file: files[0].name,
        thing: `no internal snapshot ${JSON.stringify(id)}`,
        hint,
      });
    },
    close: () => closeAll(files),
  };
  return whole;
}

/** Returns an image without internal snapshots, as most formats have no others. */
export function singleStateImage(
  image: Pick<Image, "format" | "files" | "identity">,
  contents: StateContents,
): Image {
  return imageWithStates({ ...image, states: [CURRENT] }, () => contents);
}
