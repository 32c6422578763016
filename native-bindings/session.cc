// A Device between the kernel and TypeScript: its queue emptied by libuv's loop on the main thread.
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"
#include "napi.h"

namespace vdisk {

namespace {

// Requests handed over in one turn of the event loop, so that replies are not kept waiting by a flood.
constexpr int kTurn = 16;

struct Session {  // owned by itself, until `onClosed`
  napi_env env;
  napi_ref callback;
  napi_ref room;  // a Buffer, into which requests are put
  char* bytes;
  size_t size;
  uv_async_t async;
  napi_async_cleanup_hook_handle cleanup;
  Device* device;  // owned; null once it has ended
};

// False where JavaScript cannot run any more: the environment is ending, and `onExit` follows.
bool call(Session* session, int64_t first, int64_t second, bool third) {
  const napi_env env = session->env;
  napi_value callback, global;
  must(napi_get_reference_value(env, session->callback, &callback));
  must(napi_get_global(env, &global));
  napi_value flag;
  must(napi_get_boolean(env, third, &flag));
  const napi_value arguments[] = {toValue(env, first), toValue(env, second), flag};
  if (succeeds(napi_make_callback(env, nullptr, global, callback, 3, arguments, nullptr))) return true;
  bool isThrown;
  must(napi_is_exception_pending(env, &isThrown));
  if (!isThrown) return false;
  napi_value error;
  must(napi_get_and_clear_last_exception(env, &error));
  return succeeds(napi_fatal_exception(env, error));
}

// The last of a session. Until here the environment waits for it.
void onClosed(uv_handle_t* handle) {
  auto* session = static_cast<Session*>(handle->data);
  must(napi_remove_async_cleanup_hook(session->cleanup));
  delete session;
}

void close(Session* session) {
  auto* handle = reinterpret_cast<uv_handle_t*>(&session->async);
  if (!uv_is_closing(handle)) uv_close(handle, onClosed);
}

// The mount has ended.
void onEnd(Session* session, int error) {
  delete session->device;
  session->device = nullptr;
  (void)call(session, -1, error, false);
  must(napi_delete_reference(session->env, session->callback));
  must(napi_delete_reference(session->env, session->room));
  close(session);
}

void onWake(uv_async_t* async) {
  auto* session = static_cast<Session*>(async->data);
  if (session->device == nullptr) return;
  napi_handle_scope scope;
  must(napi_open_handle_scope(session->env, &scope));
  int error;
  const bool isOver = session->device->ended(error);  // before the queue is looked at, which is then complete
  Request request;
  int taken = 0;
  bool isAlive = true;
  for (; isAlive && taken < kTurn && session->device->take(request); taken++) {
    must(request.bytes.size() <= session->size, "a request larger than its room");
    std::memcpy(session->bytes, request.bytes.data(), request.bytes.size());
    isAlive =
        call(session, static_cast<int64_t>(request.lane), static_cast<int64_t>(request.bytes.size()), request.isAnswered);
  }
  if (isAlive && taken == kTurn) uv_async_send(&session->async);
  else if (isAlive && isOver) onEnd(session, error);
  must(napi_close_handle_scope(session->env, scope));
}

// The environment ends, perhaps before the mount does, and the mount is not served any more. The threads must end before
// the descriptors that they read from are closed.
void onExit(napi_async_cleanup_hook_handle, void* pointer) {
  auto* session = static_cast<Session*>(pointer);
  if (session->device != nullptr) {
    session->device->stop();
    delete session->device;
    session->device = nullptr;
  }
  close(session);
}

// serve(descriptors, windowSize, room, callback, memoryPercent): the session, until the callback has been called with -1
napi_value serve(napi_env env, napi_callback_info info) {
  const Arguments<5> given(env, info);
  size_t count;
  const double* numbers = given.numbers(0, count);
  std::vector<int> descriptors;
  for (size_t at = 0; at < count; at++) descriptors.push_back(static_cast<int>(numbers[at]));
  auto* session = new Session{};
  napi_value handle;
  if (!succeeds(napi_create_external(env, session, nullptr, nullptr, &handle))) {
    for (const int fd : descriptors) ::close(fd);
    delete session;
    return nullptr;
  }
  session->env = env;
  session->bytes = given.buffer(2, session->size);
  must(napi_create_reference(env, given.values[2], 1, &session->room));
  must(napi_create_reference(env, given.values[3], 1, &session->callback));
  uv_loop_t* loop;
  must(napi_get_uv_event_loop(env, &loop));
  must(uv_async_init(loop, &session->async, onWake) == 0, "no event loop");
  session->async.data = session;
  must(napi_add_async_cleanup_hook(env, onExit, session, &session->cleanup));
  const auto wake = [](void* context) { uv_async_send(static_cast<uv_async_t*>(context)); };
  session->device = new Device(std::move(descriptors), given.number(1), wake, &session->async,
                               static_cast<double>(given.number(4)) / 100);
  return handle;
}

// cloneDevice(fd): another descriptor of the same connection, the caller's; throws
napi_value cloneDevice(napi_env env, napi_callback_info info) {
  const Arguments<1> given(env, info);
  uint32_t connection = static_cast<uint32_t>(given.descriptor(0));
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd >= 0 && ioctl(fd, FUSE_DEV_IOC_CLONE, &connection) != 0) {
    ::close(fd);
    fd = -1;
  }
  // Where fusermount3 had to open the device for us, the threads share its list of requests under way.
  if (fd < 0) fd = fcntl(given.descriptor(0), F_DUPFD_CLOEXEC, 0);
  return fd >= 0 ? toValue(env, fd) : fail(env, errno, "dup");
}

// reply(session, lane, bytes): 0, or minus an errno
napi_value reply(napi_env env, napi_callback_info info) {
  const Arguments<3> given(env, info);
  size_t length;
  const char* bytes = given.buffer(2, length);
  const auto lane = static_cast<size_t>(given.number(1));
  return toValue(env, -given.external<Session>(0)->device->reply(lane, bytes, length));
}

Run toRun(const double* numbers) {
  return {static_cast<int64_t>(numbers[2]), static_cast<int64_t>(numbers[1]), static_cast<int>(numbers[0])};
}

// The unit that begins at `at` of `numbers`: how many parts and chunks it has, three numbers a part (descriptor,
// offset, length), five a chunk. `at` goes on to the next one.
Unit toUnit(const double* numbers, size_t count, size_t& at, size_t size) {
  must(at + 2 <= count, "a unit cut short");
  Unit unit;
  unit.parts.resize(static_cast<size_t>(numbers[at]));
  unit.chunks.resize(static_cast<size_t>(numbers[at + 1]));
  at += 2;
  must(at + unit.parts.size() * 3 + unit.chunks.size() * 5 <= count, "a unit cut short");
  for (Run& part : unit.parts) {
    part = toRun(numbers + at);
    unit.packed += static_cast<size_t>(part.length);
    at += 3;
  }
  for (Chunk& chunk : unit.chunks) {
    must(toChunk(numbers + at, unit.packed, size, chunk), "no such chunk");
    at += 5;
  }
  return unit;
}

// putWindow(session, node, index, runCount, numbers, bytes, isTold): `numbers` has three for each run: descriptor or
// kind, offset, length; behind these the units of those that are packed, in the same order
napi_value putWindow(napi_env env, napi_callback_info info) {
  const Arguments<7> given(env, info);
  size_t count, length;
  const size_t runsEnd = static_cast<size_t>(given.number(3)) * 3;
  const double* numbers = given.numbers(4, count);
  const char* bytes = given.buffer(5, length);
  must(runsEnd <= count, "runs cut short");
  auto window = std::make_shared<Window>(given.flag(6));
  window->runs.reserve(runsEnd / 3);
  window->starts.reserve(runsEnd / 3);
  size_t unitAt = runsEnd;
  for (size_t at = 0; at < runsEnd; at += 3) {
    Run run = toRun(numbers + at);
    must(run.fd != kInline || run.offset + run.length <= static_cast<int64_t>(length), "a run past its bytes");
    if (run.fd == kPacked) {
      run.offset = static_cast<int64_t>(window->units.size());
      window->units.push_back(toUnit(numbers, count, unitAt, static_cast<size_t>(run.length)));
    }
    window->append(run);
  }
  window->bytes.assign(bytes, bytes + length);
  given.external<Session>(0)->device->putWindow(static_cast<uint64_t>(given.number(1)),
                                                static_cast<uint64_t>(given.number(2)), std::move(window));
  return nullptr;
}

// offer(session, opcode, node, offset, reply)
napi_value offer(napi_env env, napi_callback_info info) {
  const Arguments<5> given(env, info);
  size_t length;
  const char* bytes = given.buffer(4, length);
  given.external<Session>(0)->device->offer(static_cast<uint32_t>(given.number(1)),
                                            static_cast<uint64_t>(given.number(2)),
                                            static_cast<uint64_t>(given.number(3)), {bytes, bytes + length});
  return nullptr;
}

}  // namespace

void defineSession(napi_env env, napi_value exports) {
  const Function functions[] = {
      {"serve", serve},
      {"cloneDevice", cloneDevice},
      {"reply", reply},
      {"putWindow", putWindow},
      {"offer", offer},
  };
  define(env, exports, functions);
}

}  // namespace vdisk
