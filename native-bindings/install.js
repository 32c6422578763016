// npm runs this after an installation: it compiles the addon. Without the addon, vdisk mounts through fuse-native, so an error
// does not make the installation fail.
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

/** Whether the package contains a compiled addon that loads on this machine. */
function isPrebuilt() {
  if (!existsSync(join(folder, "prebuilds"))) return false;
  try {
    createRequire(import.meta.url)("node-gyp-build")(folder);
    return true;
  } catch {
    return false;
  }
}

/** Compiles the addon. Returns the reason if that fails. */
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

/** Node's folder if it has the headers, so that nothing has to be downloaded. */
function ownHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, "include/node/node_api.h")) ? prefix : undefined;
}

/** The node-gyp of the npm that runs this, or of the npm that came with Node. */
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
      // try the next place
    }
  }
  return undefined;
}
