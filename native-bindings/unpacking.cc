// Unpacking off the main thread: one call for many chunks.
#include <vector>

#include "napi.h"
#include "unpack.h"

namespace vdisk {

namespace {

using Unpack = bool (*)(const uint8_t* packed, size_t length, uint8_t* out, size_t size);

bool copyStored(const uint8_t* packed, size_t length, uint8_t* out, size_t size) {
  if (length != size) return false;
  std::memcpy(out, packed, size);
  return true;
}

struct Chunk {
  Unpack unpack;
  const uint8_t* packed;
  size_t length;
  uint8_t* out;
  size_t size;
};

struct UnpackWork : Work {
  UnpackWork() : Work("unpack") {}

  int64_t run() override {
    for (const auto& [unpack, packed, length, out, size] : chunks)
      if (!unpack(packed, length, out, size)) return 0;
    return 1;
  }

  std::vector<Chunk> chunks;
};

// unpackChunks(chunks, packed, into): Promise<1>; 0 where a chunk is damaged. `chunks` has five numbers for each:
// codec, begin and end in `packed`, offset in `into`, size there.
napi_value unpackChunks(napi_env env, napi_callback_info info) {
  constexpr Unpack kCodecs[] = {unpackLznt1, unpackXpress, unpackLzx, copyStored};
  const Arguments<3> given(env, info);
  size_t count, length, room;
  const double* numbers = given.numbers(0, count);
  const auto* packed = reinterpret_cast<const uint8_t*>(given.buffer(1, length));
  auto* into = reinterpret_cast<uint8_t*>(given.buffer(2, room));
  auto* work = new UnpackWork;
  work->chunks.reserve(count / 5);
  for (size_t index = 0; index < count; index += 5) {
    const auto codec = static_cast<size_t>(numbers[index]);
    const auto from = static_cast<size_t>(numbers[index + 1]), to = static_cast<size_t>(numbers[index + 2]);
    const auto at = static_cast<size_t>(numbers[index + 3]), size = static_cast<size_t>(numbers[index + 4]);
    must(codec < std::size(kCodecs), "no such codec");
    must(from <= to && to <= length && at <= room && size <= room - at, "a chunk past the end of a buffer");
    work->chunks.push_back({kCodecs[codec], packed + from, to - from, into + at, size});
  }
  napi_value kept;
  must(napi_create_array_with_length(env, 2, &kept));
  must(napi_set_element(env, kept, 0, given.values[1]));
  must(napi_set_element(env, kept, 1, given.values[2]));
  return queue(env, work, kept);
}

}  // namespace

void defineUnpacking(napi_env env, napi_value exports) {
  const Function functions[] = {{"unpackChunks", unpackChunks}};
  define(env, exports, functions);
}

}  // namespace vdisk
