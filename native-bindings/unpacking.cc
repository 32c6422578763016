// Unpacks chunks without a mount.
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

// unpackChunks(chunks, packed, into): Promise<1>; 0 if a chunk is damaged. `chunks`: an array of chunks (README.md).
napi_value unpackChunks(napi_env env, napi_callback_info info) {
  const Arguments<3> given(env, info);
  size_t count, packedSize, size;
  const double* numbers = given.numbers(0, count);
  auto* work = new UnpackWork;
  work->packed = reinterpret_cast<const uint8_t*>(given.buffer(1, packedSize));
  work->into = reinterpret_cast<uint8_t*>(given.buffer(2, size));
  work->chunks.resize(count / ChunkFields::count);
  for (Chunk& chunk : work->chunks) {
    must(toChunk(numbers, packedSize, size, chunk), "an invalid chunk");
    numbers += ChunkFields::count;
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

// codecNames(): the names of all codecs, by number
napi_value codecNames(napi_env env, napi_callback_info) {
  napi_value names;
  must(napi_create_array_with_length(env, codecs().size(), &names));
  for (uint32_t number = 0; number < codecs().size(); number++)
    if (!succeeds(napi_set_element(env, names, number, toValue(env, codecs()[number].name)))) return nullptr;
  return names;
}

}  // namespace

void defineUnpacking(napi_env env, napi_value exports) {
  const Function functions[] = {{"codecNames", codecNames}, {"unpackChunks", unpackChunks}};
  define(env, exports, functions);
}

}  // namespace vdisk
