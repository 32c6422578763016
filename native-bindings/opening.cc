// Opens and closes descriptors that Node does not know of. Node closes all descriptors of a worker when the worker ends,
// and warns if a descriptor is closed through Node that was not opened through it.
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "napi.h"

namespace vdisk {

namespace {

// Defined here, because the headers at build time may be older than the kernel at run time. Source:
// Linux include/uapi/linux/openat2.h; the number is the same on all architectures.
constexpr long kOpenat2 = 437;
constexpr uint64_t kNoMagicLinks = 0x02, kNoSymlinks = 0x04;
struct OpenHow {
  uint64_t flags, mode, resolve;
};

// Returns a descriptor that only identifies the file (O_PATH), or a negative errno. openat2(2) exists since Linux 5.6.
int openWithoutLinks(const char* path) {
  const OpenHow how{O_PATH | O_CLOEXEC, 0, kNoSymlinks | kNoMagicLinks};
  const long fd = syscall(kOpenat2, AT_FDCWD, path, &how, sizeof how);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

// openResolved(path): the descriptor, owned by the caller; or a negative errno: ELOOP if a part of `path` is a symbolic
// link, ENOSYS if the kernel has no openat2, or a container's system call filter forbids it.
napi_value openResolved(napi_env env, napi_callback_info info) {
  const Arguments<1> given(env, info);
  const int fd = openWithoutLinks(given.text(0).c_str());
  if (fd != -EPERM) return toValue(env, fd);
  // A system call filter answers EPERM for every path, even for "/".
  const int root = openWithoutLinks("/");
  if (root >= 0) close(root);
  return toValue(env, root >= 0 ? fd : -ENOSYS);
}

// openDevice(): a new descriptor of /dev/fuse, owned by the caller; throws
napi_value openDevice(napi_env env, napi_callback_info) {
  const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  return fd >= 0 ? toValue(env, fd) : fail(env, errno, "open");
}

// closeDescriptor(fd): closes a descriptor that a function of this addon returned
napi_value closeDescriptor(napi_env env, napi_callback_info info) {
  close(Arguments<1>(env, info).descriptor(0));
  return nullptr;
}

}  // namespace

void defineOpening(napi_env env, napi_value exports) {
  const Function functions[] = {
      {"openResolved", openResolved},
      {"openDevice", openDevice},
      {"closeDescriptor", closeDescriptor},
  };
  define(env, exports, functions);
}

}  // namespace vdisk
