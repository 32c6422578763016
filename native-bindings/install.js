// Run by npm after installing: compiles the addon. vdisk works without it, through fuse-native, so this never
// fails the installation.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));

if (process.platform === "linux" && !isPrebuilt()) {
  const problem = compile();
  if (problem !== undefined) {
    console.log(
      `vdisk: the native addon was not compiled (${problem}); mounts will be served by fuse-native`,
    );
  }
}

/** Whether the package brings the addon for this machine, and it loads. */
function isPrebuilt() {
  if (!existsSync(join(folder, "prebuilds"))) return false;
  try {
    createRequire(import.meta.url)("node-gyp-build")(folder);
    return true;
  } catch {
    return false;
  }
}

/** Compiles; answers why it could not. */
function compile() {
  const nodeGyp = findNodeGyp();
  if (nodeGyp === undefined) return "node-gyp was not found";
  const nodedir = process.env.npm_config_nodedir ?? ownHeaders();
  const options = nodedir ? [`--nodedir=${nodedir}`] : [];
  const run = spawnSync(process.execPath, [nodeGyp, "rebuild", "-C", folder, ...options], {
    encoding: "utf8",
  });
  if (run.error) return run.error.message;
  if (run.status === 0) return undefined;
  const lines = run.stderr.split("\n");
  const line =
    lines.find((line) => /\berror\b:|ERR! stack/.test(line)) ?? lines.find((line) => /ERR!/.test(line));
  return line?.replace(/^.*ERR! (stack )?/, "").trim() ?? `node-gyp ended with ${run.status ?? run.signal}`;
}

/** The folder that Node lies in, where its headers lie there too: nothing has to be downloaded then. */
function ownHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, "include/node/node_api.h")) ? prefix : undefined;
}

/** npm ships node-gyp: beside the npm that runs us, or beside Node's own. */
function findNodeGyp() {
  const places = [
    process.env.npm_config_node_gyp,
    process.env.npm_execpath && dirname(dirname(process.env.npm_execpath)),
    join(dirname(dirname(process.execPath)), "lib/node_modules/npm"),
    folder,
  ];
  for (const place of places) {
    if (!place) continue;
    if (place.endsWith(".js")) return place;
    try {
      return createRequire(join(place, "package.json")).resolve("node-gyp/bin/node-gyp.js");
    } catch {
      // Not there: the next place.
    }
  }
  return undefined;
}
