// The few host calls that serving /dev/fuse needs and Node lacks. Linux. TypeScript (src/fuse/native/addon.ts)
// checks the arguments; here they are asserted. Nothing here reads the FUSE protocol.
//
//   mount(source, target, type, flags, data): Promise<0>       mount(2), off the main thread
//   unmount(target, flags): Promise<0>                         umount2(2), off the main thread
//   socketPair(): [number, number]                             two descriptors, both the caller's
//   receiveDescriptor(socket): number                          the caller's; or the errno, negative
//   read(fd, buffer): number                                   bytes; or the errno, negative
//   watch(fd, callback): Watch                                 calls back whenever `fd` is readable
//   unwatch(watch): void                                       once for each watch
#include <node_api.h>
#include <uv.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "native-bindings: %s\n", what);
  std::abort();
}

void must(napi_status status) { must(status == napi_ok, "a Node-API call failed"); }

template <size_t N>
struct Arguments {
  napi_env env;
  napi_value values[N];

  Arguments(napi_env env, napi_callback_info info) : env(env) {
    size_t count = N;
    must(napi_get_cb_info(env, info, &count, values, nullptr, nullptr));
    must(count == N, "wrong number of arguments");
  }

  int32_t number(size_t index) const {
    int32_t value;
    must(napi_get_value_int32(env, values[index], &value));
    return value;
  }

  std::string text(size_t index) const {
    size_t length;
    must(napi_get_value_string_utf8(env, values[index], nullptr, 0, &length));
    std::string value(length, '\0');
    must(napi_get_value_string_utf8(env, values[index], value.data(), length + 1, &length));
    return value;
  }
};

napi_value toValue(napi_env env, int32_t number) {
  napi_value value;
  must(napi_create_int32(env, number, &value));
  return value;
}

napi_value toValue(napi_env env, const char* text) {
  napi_value value;
  must(napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value));
  return value;
}

// An error of the shape that Node's own system calls throw: code, syscall.
napi_value toError(napi_env env, int error, const char* call) {
  napi_value value;
  const std::string message = std::string(uv_err_name(-error)) + ": " + uv_strerror(-error) + ", " + call;
  must(napi_create_error(env, toValue(env, uv_err_name(-error)), toValue(env, message.c_str()), &value));
  must(napi_set_named_property(env, value, "syscall", toValue(env, call)));
  return value;
}

// ---- Mounting. umount(2) waits for pages that are still being read, which is for our own main thread to do: it
// must not be the one that waits.

struct MountWork {  // owned by itself; freed when the promise has settled
  const char* call;
  std::string source, target, type, data;
  unsigned flags;
  int error = 0;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

void runMount(napi_env, void* pointer) {
  auto* job = static_cast<MountWork*>(pointer);
  const int result =
      job->type.empty()
          ? umount2(job->target.c_str(), static_cast<int>(job->flags))
          : mount(job->source.c_str(), job->target.c_str(), job->type.c_str(), job->flags, job->data.c_str());
  if (result != 0) job->error = errno;
}

void settleMount(napi_env env, napi_status, void* pointer) {
  auto* job = static_cast<MountWork*>(pointer);
  if (job->error == 0) {
    must(napi_resolve_deferred(env, job->deferred, toValue(env, 0)));
  } else {
    must(napi_reject_deferred(env, job->deferred, toError(env, job->error, job->call)));
  }
  must(napi_delete_async_work(env, job->work));
  delete job;
}

napi_value queue(napi_env env, MountWork* job) {  // takes the job over
  napi_value promise;
  must(napi_create_promise(env, &job->deferred, &promise));
  must(napi_create_async_work(env, nullptr, toValue(env, "vdisk:mount"), runMount, settleMount, job, &job->work));
  must(napi_queue_async_work(env, job->work));
  return promise;
}

napi_value mountFuse(napi_env env, napi_callback_info info) {
  const Arguments<5> given(env, info);
  return queue(env, new MountWork{"mount", given.text(0), given.text(1), given.text(2), given.text(4),
                                  static_cast<unsigned>(given.number(3))});
}

napi_value unmount(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  return queue(env, new MountWork{"umount", "", given.text(0), "", "", static_cast<unsigned>(given.number(1))});
}

// ---- The descriptor that fusermount3 opens for us

napi_value socketPair(napi_env env, napi_callback_info) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    must(napi_throw(env, toError(env, errno, "socketpair")));
    return nullptr;
  }
  napi_value pair;
  must(napi_create_array_with_length(env, 2, &pair));
  for (uint32_t index = 0; index < 2; index++) must(napi_set_element(env, pair, index, toValue(env, ends[index])));
  return pair;
}

// Takes what has already been sent; never waits. The descriptor comes back non-blocking.
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
  if (recvmsg(given.number(0), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0) return toValue(env, -errno);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return toValue(env, -ENOMSG);
  int fd;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return toValue(env, fd);
}

// ---- The device. fs.readSync would throw an exception for every EAGAIN, which is one for every request.

napi_value readDevice(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  void* bytes;
  size_t length;
  must(napi_get_buffer_info(env, given.values[1], &bytes, &length));
  ssize_t count;
  do count = ::read(given.number(0), bytes, length);
  while (count < 0 && errno == EINTR);
  return toValue(env, count < 0 ? -errno : static_cast<int32_t>(count));
}

struct Watch {  // owned by itself; freed when libuv has let go of `poll`. The descriptor stays the caller's.
  uv_poll_t poll;
  napi_env env;
  napi_ref callback;
  napi_async_cleanup_hook_handle cleanup;
};

void onReadable(uv_poll_t* poll, int, int) {
  auto* watch = static_cast<Watch*>(poll->data);
  const napi_env env = watch->env;  // the callback may unwatch
  napi_handle_scope scope;
  must(napi_open_handle_scope(env, &scope));
  napi_value callback, global;
  must(napi_get_reference_value(env, watch->callback, &callback));
  must(napi_get_global(env, &global));
  if (napi_make_callback(env, nullptr, global, callback, 0, nullptr, nullptr) == napi_pending_exception) {
    napi_value error;
    must(napi_get_and_clear_last_exception(env, &error));
    must(napi_fatal_exception(env, error));
  }
  must(napi_close_handle_scope(env, scope));
}

// The environment ends with the watch still on.
void onExit(napi_async_cleanup_hook_handle, void* pointer) {
  uv_close(reinterpret_cast<uv_handle_t*>(&static_cast<Watch*>(pointer)->poll), [](uv_handle_t* handle) {
    auto* watch = static_cast<Watch*>(handle->data);
    napi_remove_async_cleanup_hook(watch->cleanup);
    delete watch;
  });
}

napi_value watchDevice(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  uv_loop_t* loop;
  must(napi_get_uv_event_loop(env, &loop));
  auto* watch = new Watch{};
  watch->env = env;
  watch->poll.data = watch;
  must(uv_poll_init(loop, &watch->poll, given.number(0)) == 0, "the descriptor cannot be polled");
  must(napi_create_reference(env, given.values[1], 1, &watch->callback));
  must(napi_add_async_cleanup_hook(env, onExit, watch, &watch->cleanup));
  must(uv_poll_start(&watch->poll, UV_READABLE, onReadable) == 0, "the descriptor cannot be watched");
  napi_value handle;
  must(napi_create_external(env, watch, nullptr, nullptr, &handle));
  return handle;
}

napi_value unwatch(napi_env env, napi_callback_info info) {
  const Arguments<1> given(env, info);
  void* pointer;
  must(napi_get_value_external(env, given.values[0], &pointer));
  auto* watch = static_cast<Watch*>(pointer);
  must(napi_remove_async_cleanup_hook(watch->cleanup));
  must(napi_delete_reference(env, watch->callback));
  uv_close(reinterpret_cast<uv_handle_t*>(&watch->poll),
           [](uv_handle_t* handle) { delete static_cast<Watch*>(handle->data); });
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback call;
  } functions[] = {
      {"mount", mountFuse}, {"unmount", unmount},   {"socketPair", socketPair}, {"receiveDescriptor", receiveDescriptor},
      {"read", readDevice}, {"watch", watchDevice}, {"unwatch", unwatch},
  };
  for (const auto& function : functions) {
    napi_value value;
    must(napi_create_function(env, function.name, NAPI_AUTO_LENGTH, function.call, nullptr, &value));
    must(napi_set_named_property(env, exports, function.name, value));
  }
  return exports;
}
