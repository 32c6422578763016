// Connects a Device to Node: its queue is emptied on the main thread, by libuv's event loop.
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

// Requests that are passed to JavaScript in one turn of the event loop: replies must not wait for more of them.
constexpr int kTurn = 16;

struct Session {  // deletes itself in `onClosed`
  napi_env env;
  napi_ref callback;
  napi_ref buffer;  // a Buffer, into which requests are copied, and its bytes
  char* bytes;
  size_t size;
  uv_async_t async;
  napi_async_cleanup_hook_handle cleanup;
  Device* device;  // owned; null once it has ended
};

// Calls the callback. Returns false if JavaScript cannot run any more: the environment is ending, and `onExit` follows.
bool call(Session* session, int64_t connection, int64_t second, bool isNotification) {
  const napi_env env = session->env;
  napi_value callback, global;
  must(napi_get_reference_value(env, session->callback, &callback));
  must(napi_get_global(env, &global));
  napi_value flag;
  must(napi_get_boolean(env, isNotification, &flag));
  const napi_value arguments[] = {toValue(env, connection), toValue(env, second), flag};
  if (succeeds(napi_make_callback(env, nullptr, global, callback, 3, arguments, nullptr))) return true;
  bool isThrown;
  must(napi_is_exception_pending(env, &isThrown));
  if (!isThrown) return false;
  napi_value error;
  must(napi_get_and_clear_last_exception(env, &error));
  return succeeds(napi_fatal_exception(env, error));
}

// Ends a session. The environment waits for this before it ends.
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
  must(napi_delete_reference(session->env, session->buffer));
  close(session);
}

void onWake(uv_async_t* async) {
  auto* session = static_cast<Session*>(async->data);
  if (session->device == nullptr) return;
  napi_handle_scope scope;
  must(napi_open_handle_scope(session->env, &scope));
  int error;
  const bool isOver = session->device->ended(error);  // before the queue is emptied: nothing is added to it after that
  Request request;
  int taken = 0;
  bool isAlive = true;
  for (; isAlive && taken < kTurn && session->device->take(request); taken++) {
    must(request.bytes.size() <= session->size, "a request larger than the buffer");
    std::memcpy(session->bytes, request.bytes.data(), request.bytes.size());
    isAlive =
        call(session, static_cast<int64_t>(request.connection), static_cast<int64_t>(request.bytes.size()),
             request.isNotification);
  }
  if (isAlive && taken == kTurn) uv_async_send(&session->async);
  else if (isAlive && isOver) onEnd(session, error);
  must(napi_close_handle_scope(session->env, scope));
}

// The environment is ending, perhaps before the mount, which is then no longer served. The threads must end before Node
// closes the descriptors that they read from.
void onExit(napi_async_cleanup_hook_handle, void* pointer) {
  auto* session = static_cast<Session*>(pointer);
  if (session->device != nullptr) {
    session->device->stop();
    delete session->device;
    session->device = nullptr;
  }
  close(session);
}

// serve(descriptors, windowSize, buffer, callback, memoryPercent): the session, valid until the callback has been called
// with connection -1
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
  must(napi_create_reference(env, given.values[2], 1, &session->buffer));
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

// cloneDevice(fd): another descriptor of the same FUSE connection, owned by the caller; throws
napi_value cloneDevice(napi_env env, napi_callback_info info) {
  const Arguments<1> given(env, info);
  uint32_t connection = static_cast<uint32_t>(given.descriptor(0));
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd >= 0 && ioctl(fd, FUSE_DEV_IOC_CLONE, &connection) != 0) {
    ::close(fd);
    fd = -1;
  }
  // An ordinary user may not be able to open /dev/fuse. The threads then share one list of requests.
  if (fd < 0) fd = fcntl(given.descriptor(0), F_DUPFD_CLOEXEC, 0);
  return fd >= 0 ? toValue(env, fd) : fail(env, errno, "dup");
}

// reply(session, connection, bytes): 0, or a negative errno
napi_value reply(napi_env env, napi_callback_info info) {
  const Arguments<3> given(env, info);
  size_t length;
  const char* bytes = given.buffer(2, length);
  const auto connection = static_cast<size_t>(given.number(1));
  return toValue(env, -given.external<Session>(0)->device->reply(connection, bytes, length));
}

// Writes notifications. The kernel waits for requests that read the same pages, so this must not run on a thread that
// answers requests.
struct NotifyWork : Work {
  explicit NotifyWork(int fd) : Work("notify"), fd(fd) {}
  ~NotifyWork() override { ::close(fd); }

  int64_t run() override {
    for (size_t at = 0; at < bytes.size();) {
      uint32_t length;
      std::memcpy(&length, bytes.data() + at, sizeof length);
      // ENOENT: the kernel does not know the node. Any other error means that the mount has ended.
      if (write(fd, bytes.data() + at, length) < 0 && errno != ENOENT) break;
      at += length;
    }
    return 0;
  }

  const int fd;  // owned
  std::vector<char> bytes;
};

// notifyKernel(session, notifications): Promise<0>
napi_value notifyKernel(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  const int fd = given.external<Session>(0)->device->duplicate();
  if (fd < 0) return fail(env, errno, "fcntl");
  auto* work = new NotifyWork(fd);
  size_t length;
  const char* bytes = given.buffer(1, length);
  work->bytes.assign(bytes, bytes + length);
  return queue(env, work);
}

// clearCaches(session)
napi_value clearCaches(napi_env env, napi_callback_info info) {
  const Arguments<1> given(env, info);
  given.external<Session>(0)->device->clear();
  return nullptr;
}

Run toRun(const double* fields) {
  return {static_cast<int64_t>(fields[RunFields::length]), static_cast<int64_t>(fields[RunFields::offset]),
          static_cast<int>(fields[RunFields::fd])};
}

// Converts the unit at index `at` of `numbers`, of `size` unpacked bytes. Advances `at` to the next unit.
Unit toUnit(const double* numbers, size_t count, size_t& at, size_t size) {
  must(at + UnitFields::count <= count, "a truncated unit");
  Unit unit;
  unit.parts.resize(static_cast<size_t>(numbers[at + UnitFields::partCount]));
  unit.chunks.resize(static_cast<size_t>(numbers[at + UnitFields::chunkCount]));
  at += UnitFields::count;
  must(at + unit.parts.size() * RunFields::count + unit.chunks.size() * ChunkFields::count <= count, "a truncated unit");
  for (Run& part : unit.parts) {
    part = toRun(numbers + at);
    unit.packed += static_cast<size_t>(part.length);
    at += RunFields::count;
  }
  for (Chunk& chunk : unit.chunks) {
    must(toChunk(numbers + at, unit.packed, size, chunk), "an invalid chunk");
    at += ChunkFields::count;
  }
  return unit;
}

// putWindow(session, node, index, runCount, numbers, bytes, notifyFirstRead): `numbers`: runs and units (README.md)
napi_value putWindow(napi_env env, napi_callback_info info) {
  const Arguments<7> given(env, info);
  size_t count, length;
  const size_t runsEnd = static_cast<size_t>(given.number(3)) * RunFields::count;
  const double* numbers = given.numbers(4, count);
  const char* bytes = given.buffer(5, length);
  must(runsEnd <= count, "truncated runs");
  auto window = std::make_shared<Window>(given.flag(6));
  window->runs.reserve(runsEnd / RunFields::count);
  window->starts.reserve(runsEnd / RunFields::count);
  size_t unitAt = runsEnd;
  for (size_t at = 0; at < runsEnd; at += RunFields::count) {
    Run run = toRun(numbers + at);
    must(run.fd != kInline || run.offset + run.length <= static_cast<int64_t>(length), "inline bytes that are missing");
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

// putReply(session, opcode, node, offset, reply)
napi_value putReply(napi_env env, napi_callback_info info) {
  const Arguments<5> given(env, info);
  size_t length;
  const char* bytes = given.buffer(4, length);
  given.external<Session>(0)->device->putReply(static_cast<uint32_t>(given.number(1)),
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
      {"putReply", putReply},
      {"clearCaches", clearCaches},
      {"notifyKernel", notifyKernel},
  };
  define(env, exports, functions);
}

}  // namespace vdisk
