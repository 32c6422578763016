import t from "tap";
import { splitShortOptions } from "../../../src/cli/vboximg-mount/short-options.js";

t.test("a value directly behind its short option is separated", async (t) => {
  t.same(splitShortOptions(["-iweb.vdi", "-oallow_other,ro", "/mnt"]), [
    "-i",
    "web.vdi",
    "-o",
    "allow_other,ro",
    "/mnt",
  ]);
  t.same(splitShortOptions(["-lvi{5b2c}"]), ["-lvi", "{5b2c}"]);
  t.same(splitShortOptions(["-giweb.vdi"]), ["-gi", "web.vdi"]);
});

t.test("other arguments are not changed", async (t) => {
  const args = [
    "-lv",
    "-wl",
    "-i",
    "web.vdi",
    "-o=ro",
    "-o",
    "ro",
    "--image=x",
    "--io",
    "-",
    "-h",
    "-?",
    "/io",
  ];
  t.same(splitShortOptions(args), args);
});
