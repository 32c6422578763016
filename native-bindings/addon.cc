// System calls that Node.js lacks, and the threads of a mount. src/storage/addon.ts documents each function.
#include "napi.h"

NAPI_MODULE_INIT() {
  vdisk::defineHost(env, exports);
  vdisk::defineMounting(env, exports);
  vdisk::defineOpening(env, exports);
  vdisk::defineReading(env, exports);
  vdisk::defineSession(env, exports);
  vdisk::defineUnpacking(env, exports);
  return exports;
}
