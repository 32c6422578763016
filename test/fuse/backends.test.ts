import t from "tap";
import { selectBackend } from "../../src/fuse/backends.js";

t.test("the backend that is asked for serves, and auto means our own where it can", async (t) => {
  t.match(await selectBackend("auto"), { backend: { name: "native" }, why: "served by native" });
  t.match(await selectBackend("native"), { backend: { name: "native" } });
  t.match(await selectBackend("fuse-native"), {
    backend: { name: "fuse-native" },
    why: "served by fuse-native",
  });
});
