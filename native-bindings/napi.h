// Short forms of Node-API for arguments, values and promises. TypeScript checks arguments; here they are asserted.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace vdisk {

inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "native-bindings: %s\n", what);
  std::abort();
}

inline void must(napi_status status) { must(status == napi_ok, "a Node-API call failed"); }

// Returns whether a call that may run JavaScript succeeded. It fails once the environment is ending, which can happen at
// any moment if a worker is terminated: the caller then undoes what it began, and reports nothing. Other failures abort.
inline bool succeeds(napi_status status) {
  if (status == napi_pending_exception || status == napi_cannot_run_js || status == napi_closing) return false;
  must(status);
  return true;
}

template <size_t N>
struct Arguments {
  napi_env env;
  napi_value values[N];

  Arguments(napi_env env, napi_callback_info info) : env(env) {
    size_t count = N;
    must(napi_get_cb_info(env, info, &count, values, nullptr, nullptr));
    must(count == N, "wrong number of arguments");
  }

  int64_t number(size_t index) const {
    int64_t value;
    must(napi_get_value_int64(env, values[index], &value));
    return value;
  }

  int descriptor(size_t index) const { return static_cast<int>(number(index)); }

  bool flag(size_t index) const {
    bool value;
    must(napi_get_value_bool(env, values[index], &value));
    return value;
  }

  std::string text(size_t index) const {
    size_t length;
    must(napi_get_value_string_utf8(env, values[index], nullptr, 0, &length));
    std::string value(length, '\0');
    must(napi_get_value_string_utf8(env, values[index], value.data(), length + 1, &length));
    return value;
  }

  // The bytes of a Buffer. Valid until the function returns, or for as long as `values[index]` is referenced.
  char* buffer(size_t index, size_t& length) const {
    void* bytes;
    must(napi_get_buffer_info(env, values[index], &bytes, &length));
    return static_cast<char*>(bytes);
  }

  // The elements of a Float64Array, valid for as long as the bytes of a Buffer.
  const double* numbers(size_t index, size_t& count) const {
    void* data;
    napi_typedarray_type type;
    must(napi_get_typedarray_info(env, values[index], &type, &count, &data, nullptr, nullptr));
    must(type == napi_float64_array, "not a Float64Array");
    return static_cast<const double*>(data);
  }

  template <typename T>
  T* external(size_t index) const {
    void* pointer;
    must(napi_get_value_external(env, values[index], &pointer));
    return static_cast<T*>(pointer);
  }
};

inline napi_value toValue(napi_env env, int64_t number) {
  napi_value value;
  must(napi_create_int64(env, number, &value));
  return value;
}

inline napi_value toValue(napi_env env, const char* text) {
  napi_value value;
  must(napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value));
  return value;
}

// An error like those of Node's own system calls, with `code` and `syscall`.
inline napi_value toError(napi_env env, int error, const char* call) {
  napi_value value;
  const std::string message = std::string(uv_err_name(-error)) + ": " + uv_strerror(-error) + ", " + call;
  must(napi_create_error(env, toValue(env, uv_err_name(-error)), toValue(env, message.c_str()), &value));
  (void)succeeds(napi_set_named_property(env, value, "syscall", toValue(env, call)));
  return value;
}

// Throws such an error. Returns what the calling function has to return.
inline napi_value fail(napi_env env, int error, const char* call) {
  (void)succeeds(napi_throw(env, toError(env, error, call)));
  return nullptr;
}

// Work that runs off the main thread and settles a promise: with the result of `run`, or with an error if that is a
// negative errno.
struct Work {
  explicit Work(const char* call) : call(call) {}
  virtual ~Work() = default;
  virtual int64_t run() = 0;

  const char* const call;  // the system call, for the error
  int64_t result = 0;
  napi_ref kept = nullptr;  // a value that is not collected before the work is done
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

// Queues `work`, and owns it from now on. Returns the promise.
inline napi_value queue(napi_env env, Work* work, napi_value keep = nullptr) {
  napi_value promise;
  if (!succeeds(napi_create_promise(env, &work->deferred, &promise))) {
    delete work;
    return nullptr;
  }
  if (keep != nullptr) must(napi_create_reference(env, keep, 1, &work->kept));
  const auto run = [](napi_env, void* pointer) {
    auto* work = static_cast<Work*>(pointer);
    work->result = work->run();
  };
  const auto settle = [](napi_env env, napi_status, void* pointer) {
    auto* work = static_cast<Work*>(pointer);
    if (work->kept != nullptr) must(napi_delete_reference(env, work->kept));
    if (work->result >= 0) {
      (void)succeeds(napi_resolve_deferred(env, work->deferred, toValue(env, work->result)));
    } else {
      const int error = static_cast<int>(-work->result);
      (void)succeeds(napi_reject_deferred(env, work->deferred, toError(env, error, work->call)));
    }
    must(napi_delete_async_work(env, work->work));
    delete work;
  };
  must(napi_create_async_work(env, nullptr, toValue(env, "vdisk"), run, settle, work, &work->work));
  must(napi_queue_async_work(env, work->work));
  return promise;
}

struct Function {
  const char* name;
  napi_callback call;
};

template <size_t N>
void define(napi_env env, napi_value exports, const Function (&functions)[N]) {
  for (const auto& [name, call] : functions) {
    napi_value value;
    if (!succeeds(napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &value))) return;
    if (!succeeds(napi_set_named_property(env, exports, name, value))) return;
  }
}

void defineHost(napi_env env, napi_value exports);
void defineMounting(napi_env env, napi_value exports);
void defineOpening(napi_env env, napi_value exports);
void defineReading(napi_env env, napi_value exports);
void defineSession(napi_env env, napi_value exports);
void defineUnpacking(napi_env env, napi_value exports);

}  // namespace vdisk
