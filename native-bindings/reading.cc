// Reading without a mount, by the same means: one call for a list of runs.
#include <cerrno>
#include <cstring>
#include <sys/uio.h>

#include "extents.h"
#include "napi.h"

namespace vdisk {

namespace {

// readCached(fd, into, offset): how many bytes were filled, from the first on, of those that the host has in
// memory; or minus an errno. Never waits for a disk.
napi_value readCached(napi_env env, napi_callback_info info) {
  const Arguments<3> given(env, info);
  iovec part;
  part.iov_base = given.buffer(1, part.iov_len);
  ssize_t count;
  do count = preadv2(given.descriptor(0), &part, 1, given.number(2), RWF_NOWAIT);
  while (count < 0 && errno == EINTR);
  return toValue(env, count < 0 ? -errno : count);
}

struct ReadWork : Work {
  ReadWork() : Work("pread") {}
  int64_t run() override { return readPieces(pieces) ? 1 : 0; }
  std::vector<Piece> pieces;
};

// readRuns(runs, into): Promise<1>; 0 where something went wrong. `runs` has four numbers for each: descriptor,
// offset in the file, offset in `into`, length.
napi_value readRuns(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  size_t count, room;
  const double* numbers = given.numbers(0, count);
  char* const into = given.buffer(1, room);
  auto* work = new ReadWork;
  work->pieces.reserve(count / 4);
  for (size_t at = 0; at < count; at += 4) {
    const auto skip = static_cast<size_t>(numbers[at + 2]), length = static_cast<size_t>(numbers[at + 3]);
    must(skip <= room && length <= room - skip, "a run past the end of the buffer");
    work->pieces.push_back(
        {static_cast<int>(numbers[at]), static_cast<int64_t>(numbers[at + 1]), into + skip, length});
  }
  return queue(env, work, given.values[1]);
}

}  // namespace

void defineReading(napi_env env, napi_value exports) {
  const Function functions[] = {{"readCached", readCached}, {"readRuns", readRuns}};
  define(env, exports, functions);
}

}  // namespace vdisk
