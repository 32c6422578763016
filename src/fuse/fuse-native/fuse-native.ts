import type { FuseBackend } from "../backend.js";
export const fuseNativeBackend: FuseBackend = { name: "fuse-native", unavailable: async () => "not yet", mount: async () => { throw new Error("not yet"); } };
