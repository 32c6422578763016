// Windows of all kinds of runs, and reads anywhere in them: what is filled is compared with a model of single bytes.
// Chunks are as toChunk lets them through, from any eight bytes.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "../../../native-bindings/extents.h"

namespace {

constexpr int64_t kFileSize = 4096;

// A file whose byte `at` is `at * 7`, opened once.
int pattern() {
  static const int fd = [] {
    const int made = memfd_create("pattern", 0);
    uint8_t bytes[kFileSize];
    for (int64_t at = 0; at < kFileSize; at++) bytes[at] = static_cast<uint8_t>(at * 7);
    if (made < 0 || write(made, bytes, sizeof bytes) != kFileSize) std::abort();
    return made;
  }();
  return fd;
}

struct Input {
  const uint8_t* at;
  const uint8_t* end;
  uint32_t take(size_t bytes) {
    uint32_t value = 0;
    for (; bytes > 0; bytes--) value = value << 8 | (at < end ? *at++ : 0);
    return value;
  }
};

// Adds a unit of one stored chunk, `length` bytes of the file from `offset` on.
void addUnit(vdisk::Window& window, int64_t offset, int64_t length) {
  vdisk::Unit unit;
  unit.parts.push_back({length, offset, pattern()});
  unit.packed = static_cast<size_t>(length);
  unit.chunks.push_back({3, 0, static_cast<uint32_t>(length), 0, static_cast<uint32_t>(length)});
  window.units.push_back(unit);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  Input input{data, data + length};
  double numbers[5];
  for (double& number : numbers) number = static_cast<double>(static_cast<int32_t>(input.take(4)));
  vdisk::Chunk chunk;
  const size_t packed = input.take(2), room = input.take(2);
  if (vdisk::toChunk(numbers, packed, room, chunk) && (chunk.to > packed || chunk.at + chunk.size > room)) std::abort();

  const auto window = std::make_shared<vdisk::Window>();
  std::vector<int> model;  // a byte, or -1 where it cannot be read here
  for (uint32_t count = 1 + input.take(1) % 12; count > 0; count--) {
    const int64_t size = 1 + input.take(2) % 600;
    const int64_t offset = input.take(2) % kFileSize;
    const bool isThere = offset + size <= kFileSize;
    switch (input.take(1) % 5) {
      case 0:
        window->append({size, 0, vdisk::kZero});
        model.insert(model.end(), size, 0);
        break;
      case 1:
        window->append({size, static_cast<int64_t>(window->bytes.size()), vdisk::kInline});
        window->bytes.insert(window->bytes.end(), size, 'i');
        model.insert(model.end(), size, 'i');
        break;
      case 2:
        window->append({size, static_cast<int64_t>(window->units.size()), vdisk::kPacked});
        addUnit(*window, offset, size);
        for (int64_t at = 0; at < size; at++) model.push_back(isThere ? static_cast<uint8_t>((offset + at) * 7) : -1);
        break;
      case 3:
        window->append({size, 0, vdisk::kElsewhere});
        model.insert(model.end(), size, -1);
        break;
      default:
        window->append({size, offset, pattern()});
        for (int64_t at = 0; at < size; at++)
          model.push_back(offset + at < kFileSize ? static_cast<uint8_t>((offset + at) * 7) : -1);
    }
  }
  static vdisk::Reading reading;
  for (int turn = 0; turn < 4; turn++) {
    const size_t skip = input.take(2) % model.size();
    const size_t wanted = 1 + input.take(2) % (model.size() - skip);
    const std::unique_ptr<char[]> into(new char[wanted]);
    reading.clear();
    if (!reading.plan(window, static_cast<int64_t>(skip), wanted, into.get()) || !reading.finish()) continue;
    for (size_t at = 0; at < wanted; at++)
      if (model[skip + at] != static_cast<uint8_t>(into[at])) std::abort();
  }
  return 0;
}
