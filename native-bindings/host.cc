// Calls on open files: sizes, holes, locks, copies.
#include <cerrno>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "napi.h"

namespace vdisk {

namespace {

// blockDeviceSize(fd): bytes; throws
napi_value blockDeviceSize(napi_env env, napi_callback_info info) {
  const Arguments<1> given(env, info);
  uint64_t size;
  if (ioctl(given.descriptor(0), BLKGETSIZE64, &size) == 0) return toValue(env, static_cast<int64_t>(size));
  return fail(env, errno, "ioctl");
}

struct SeekWork : Work {
  SeekWork(int fd, int64_t offset, int whence) : Work("lseek"), fd(fd), offset(offset), whence(whence) {}
  int64_t run() override {
    const int64_t found = lseek(fd, offset, whence);
    return found < 0 ? -errno : found;
  }
  const int fd;
  const int64_t offset;
  const int whence;
};

// seekData(fd, offset), seekHole(fd, offset): Promise<offset>; ENXIO where there is none from there on
template <int whence>
napi_value seek(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  return queue(env, new SeekWork(given.descriptor(0), given.number(1), whence));
}

struct CopyWork : Work {
  CopyWork(const Arguments<5>& given)
      : Work("copy_file_range"), from(given.descriptor(0)), to(given.descriptor(2)), fromOffset(given.number(1)),
        toOffset(given.number(3)), length(static_cast<size_t>(given.number(4))) {}
  int64_t run() override {
    const ssize_t copied = copy_file_range(from, &fromOffset, to, &toOffset, length, 0);
    return copied < 0 ? -errno : copied;
  }
  const int from, to;
  off64_t fromOffset, toOffset;
  const size_t length;
};

// copyFileRange(from, fromOffset, to, toOffset, length): Promise<bytes>, 0 at the end of the file
napi_value copyFileRange(napi_env env, napi_callback_info info) {
  return queue(env, new CopyWork(Arguments<5>(env, info)));
}

struct flock toLock(const Arguments<4>& given) {
  struct flock lock {};  // OFD locks want l_pid to be 0
  lock.l_type = given.flag(1) ? F_WRLCK : F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = given.number(2);
  lock.l_len = given.number(3);
  return lock;
}

// lock(fd, exclusive, offset, length): whether it was to be had; throws. Open-file-description locks (fcntl(2)).
napi_value setLock(napi_env env, napi_callback_info info) {
  const Arguments<4> given(env, info);
  struct flock lock = toLock(given);
  const bool isOurs = fcntl(given.descriptor(0), F_OFD_SETLK, &lock) == 0;
  if (!isOurs && errno != EAGAIN && errno != EACCES) return fail(env, errno, "fcntl");
  napi_value value;
  must(napi_get_boolean(env, isOurs, &value));
  return value;
}

// isLocked(fd, exclusive, offset, length): whether another's lock would keep us from such a lock; throws
napi_value isLocked(napi_env env, napi_callback_info info) {
  const Arguments<4> given(env, info);
  struct flock lock = toLock(given);
  if (fcntl(given.descriptor(0), F_OFD_GETLK, &lock) != 0) return fail(env, errno, "fcntl");
  napi_value value;
  must(napi_get_boolean(env, lock.l_type != F_UNLCK, &value));
  return value;
}

}  // namespace

void defineHost(napi_env env, napi_value exports) {
  const Function functions[] = {
      {"blockDeviceSize", blockDeviceSize},
      {"seekData", seek<SEEK_DATA>},
      {"seekHole", seek<SEEK_HOLE>},
      {"copyFileRange", copyFileRange},
      {"lock", setLock},
      {"isLocked", isLocked},
  };
  define(env, exports, functions);
}

}  // namespace vdisk
