// Mounting: mount(2) and umount2(2), and the socket through which fusermount3 sends a descriptor of /dev/fuse.
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "napi.h"

namespace vdisk {

namespace {

// Runs off the main thread: umount2(2) waits for reads of files in the mount, which the main thread may have to answer.
struct MountWork : Work {
  using Work::Work;
  int64_t run() override {
    const int done = type.empty() ? umount2(target.c_str(), flags)
                                  : mount(source.c_str(), target.c_str(), type.c_str(),
                                          static_cast<unsigned long>(flags), data.c_str());
    return done == 0 ? 0 : -errno;
  }
  std::string source, target, type, data;
  int flags = 0;
};

// mount(source, target, type, flags, data): Promise<0>
napi_value mountFuse(napi_env env, napi_callback_info info) {
  const Arguments<5> given(env, info);
  auto* work = new MountWork("mount");
  work->source = given.text(0);
  work->target = given.text(1);
  work->type = given.text(2);
  work->flags = static_cast<int>(given.number(3));
  work->data = given.text(4);
  return queue(env, work);
}

// unmount(target, flags): Promise<0>
napi_value unmount(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  auto* work = new MountWork("umount");
  work->target = given.text(0);
  work->flags = static_cast<int>(given.number(1));
  return queue(env, work);
}

// socketPair(): two descriptors, owned by the caller; throws
napi_value socketPair(napi_env env, napi_callback_info) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail(env, errno, "socketpair");
  napi_value pair;
  must(napi_create_array_with_length(env, 2, &pair));
  bool isSet = true;
  for (uint32_t index = 0; index < 2; index++)
    isSet = isSet && succeeds(napi_set_element(env, pair, index, toValue(env, ends[index])));
  if (isSet) return pair;
  for (const int end : ends) close(end);
  return nullptr;
}

// receiveDescriptor(socket): a descriptor that was sent before, owned by the caller; or a negative errno. Never waits.
napi_value receiveDescriptor(napi_env env, napi_callback_info info) {
  const Arguments<1> given(env, info);
  char byte;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(given.descriptor(0), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0) return toValue(env, -errno);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return toValue(env, -ENOMSG);
  int fd;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return toValue(env, fd);
}

}  // namespace

void defineMounting(napi_env env, napi_value exports) {
  const Function functions[] = {
      {"mount", mountFuse},
      {"unmount", unmount},
      {"socketPair", socketPair},
      {"receiveDescriptor", receiveDescriptor},
  };
  define(env, exports, functions);
}

}  // namespace vdisk
