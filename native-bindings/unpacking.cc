// Unpacking off the main thread: one call for many chunks.
#include <vector>

#include "napi.h"
#include "unpack.h"

namespace vdisk {

namespace {

struct UnpackWork : Work {
  UnpackWork() : Work("unpack") {}

  int64_t run() override {
    for (const Chunk& chunk : chunks)
      if (!unpackChunk(chunk, packed, into)) return 0;
    return 1;
  }

  std::vector<Chunk> chunks;
  const uint8_t* packed;
  uint8_t* into;
};

// unpackChunks(chunks, packed, into): Promise<1>; 0 where a chunk is damaged. `chunks` has five numbers for each:
// codec, begin and end in `packed`, offset in `into`, size there.
napi_value unpackChunks(napi_env env, napi_callback_info info) {
  const Arguments<3> given(env, info);
  size_t count, length, room;
  const double* numbers = given.numbers(0, count);
  auto* work = new UnpackWork;
  work->packed = reinterpret_cast<const uint8_t*>(given.buffer(1, length));
  work->into = reinterpret_cast<uint8_t*>(given.buffer(2, room));
  work->chunks.resize(count / 5);
  for (Chunk& chunk : work->chunks) {
    must(toChunk(numbers, length, room, chunk), "no such chunk");
    numbers += 5;
  }
  napi_value kept;
  must(napi_create_array_with_length(env, 2, &kept));
  for (uint32_t index = 0; index < 2; index++) {
    if (succeeds(napi_set_element(env, kept, index, given.values[index + 1]))) continue;
    delete work;
    return nullptr;
  }
  return queue(env, work, kept);
}

}  // namespace

void defineUnpacking(napi_env env, napi_value exports) {
  const Function functions[] = {{"unpackChunks", unpackChunks}};
  define(env, exports, functions);
}

}  // namespace vdisk
