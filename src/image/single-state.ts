/** Images without internal snapshots, as most formats have no others. */
import { MissingError } from "../errors.js";
import { closeAll } from "../storage/closing.js";
import { CURRENT, type Image, type Layer } from "./image.js";

/** Returns an image with one state, whose contents are `layer`. */
export function singleStateImage(
  image: Pick<Image, "format" | "files" | "identity">,
  layer: Omit<Layer, "image" | "state">,
): Image {
  const whole: Image = {
    ...image,
    states: [CURRENT],
    async layer(state = CURRENT.id) {
      if (state === CURRENT.id) return only;
      throw new MissingError({
        file: image.files[0].name,
        thing: `no snapshot ${JSON.stringify(state)} in this image: the ${image.format} format has no internal snapshots`,
      });
    },
    close: () => closeAll(image.files),
  };
  const only: Layer = { ...layer, image: whole, state: CURRENT };
  return whole;
}
