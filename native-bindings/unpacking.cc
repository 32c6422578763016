// Unpacking off the main thread: one call for the chunks of a unit.
#include <vector>

#include "napi.h"
#include "unpack.h"

namespace vdisk {

namespace {

using Unpack = bool (*)(const uint8_t* packed, size_t length, uint8_t* out, size_t size);

struct UnpackWork : Work {
  UnpackWork() : Work("unpack") {}

  int64_t run() override {
    size_t done = 0;
    for (size_t index = 0; index + 1 < places.size(); index++) {
      const size_t from = places[index], to = places[index + 1];
      const size_t size = room - done < chunkSize ? room - done : chunkSize;
      if (from > to || to > length || size == 0) return 0;
      if (mayBeStored && to - from == size) {
        std::memcpy(into + done, packed + from, size);
      } else if (!unpack(packed + from, to - from, into + done, size)) {
        return 0;
      }
      done += size;
    }
    return done == room ? 1 : 0;
  }

  Unpack unpack;
  bool mayBeStored;
  size_t chunkSize, length, room;
  std::vector<size_t> places;
  const uint8_t* packed;
  uint8_t* into;
};

// unpackChunks(codec, mayBeStored, chunkSize, places, packed, into): Promise<1>; 0 where a chunk is damaged. `places`
// has where in `packed` each chunk begins, and where the last one ends.
napi_value unpackChunks(napi_env env, napi_callback_info info) {
  constexpr Unpack kCodecs[] = {unpackLznt1, unpackXpress, unpackLzx};
  const Arguments<6> given(env, info);
  auto* work = new UnpackWork;
  const auto codec = static_cast<size_t>(given.number(0));
  must(codec < std::size(kCodecs), "no such codec");
  work->unpack = kCodecs[codec];
  work->mayBeStored = given.flag(1);
  work->chunkSize = static_cast<size_t>(given.number(2));
  size_t count;
  const double* places = given.numbers(3, count);
  work->places.assign(places, places + count);
  work->packed = reinterpret_cast<const uint8_t*>(given.buffer(4, work->length));
  work->into = reinterpret_cast<uint8_t*>(given.buffer(5, work->room));
  napi_value kept;
  must(napi_create_array_with_length(env, 2, &kept));
  must(napi_set_element(env, kept, 0, given.values[4]));
  must(napi_set_element(env, kept, 1, given.values[5]));
  return queue(env, work, kept);
}

}  // namespace

void defineUnpacking(napi_env env, napi_value exports) {
  const Function functions[] = {{"unpackChunks", unpackChunks}};
  define(env, exports, functions);
}

}  // namespace vdisk
