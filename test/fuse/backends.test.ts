import t from "tap";
import { selectBackend } from "../../src/fuse/backends.js";

t.test("the chosen backend serves, and auto chooses the native one if it can serve", async (t) => {
  t.match(await selectBackend("auto"), { backend: { name: "native" }, why: "served by native" });
  t.match(await selectBackend("native"), { backend: { name: "native" } });
  t.match(await selectBackend("fuse-native"), {
    backend: { name: "fuse-native" },
    why: "asked for by --fuse-backend",
  });
});
