// Reads without a mount.
#include <cerrno>
#include <cstring>
#include <sys/uio.h>

#include "extents.h"
#include "napi.h"

namespace vdisk {

namespace {

// readCached(fd, into, offset): the number of bytes that the page cache had, from `offset` on; or a negative errno. Never
// waits for a disk.
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

// readRuns(reads, into): Promise<1>; 0 after an error. `reads`: an array of reads (README.md).
napi_value readRuns(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  size_t count, size;
  const double* numbers = given.numbers(0, count);
  char* const into = given.buffer(1, size);
  auto* work = new ReadWork;
  work->pieces.reserve(count / ReadFields::count);
  for (const double* read = numbers; read < numbers + count; read += ReadFields::count) {
    const auto offset = static_cast<size_t>(read[ReadFields::offset]);
    const auto length = static_cast<size_t>(read[ReadFields::length]);
    must(offset <= size && length <= size - offset, "a read past the end of the buffer");
    work->pieces.push_back({static_cast<int>(read[ReadFields::fd]), static_cast<int64_t>(read[ReadFields::fileOffset]),
                            into + offset, length});
  }
  return queue(env, work, given.values[1]);
}

}  // namespace

void defineReading(napi_env env, napi_value exports) {
  const Function functions[] = {{"readCached", readCached}, {"readRuns", readRuns}};
  define(env, exports, functions);
}

}  // namespace vdisk
