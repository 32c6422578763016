// System calls on open files.
#include <cerrno>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "napi.h"

namespace vdisk {

namespace {

// blockDeviceSize(fd): the size in bytes; throws
napi_value blockDeviceSize(napi_env env, napi_callback_info info) {
  const Arguments<1> given(env, info);
  uint64_t size;
  if (ioctl(given.descriptor(0), BLKGETSIZE64, &size) == 0) return toValue(env, static_cast<int64_t>(size));
  return fail(env, errno, "ioctl");
}

}  // namespace

void defineHost(napi_env env, napi_value exports) {
  const Function functions[] = {{"blockDeviceSize", blockDeviceSize}};
  define(env, exports, functions);
}

}  // namespace vdisk
