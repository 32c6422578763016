// The addon: what vdisk needs of the host and Node lacks. src/storage/addon.ts says what each function does.
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
