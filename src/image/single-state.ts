/** Images without internal snapshots: most formats have no other. */
import { MissingError } from "../errors.js";
import { CURRENT, type Image, type Layer } from "./image.js";

/** An image with one state, whose contents are `layer`. */
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
        thing: "this image has no internal snapshots",
        found: state,
        expected: CURRENT.id,
      });
    },
    async close() {
      await Promise.all(image.files.map((file) => file.close()));
    },
  };
  const only: Layer = { ...layer, image: whole, state: CURRENT };
  return whole;
}
