#include "scene.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "expect.h"

namespace {

std::vector<char> randomBytes(Random& random, size_t length) {
  std::vector<char> bytes(length);
  for (char& byte : bytes) byte = static_cast<char>(random() >> 56);
  return bytes;
}

}  // namespace

HostFile::HostFile(std::vector<char> content) : bytes(std::move(content)) {
  char name[] = "/tmp/vdisk-harness-XXXXXX";
  fd = mkstemp(name);
  EXPECT(fd >= 0);
  unlink(name);
  EXPECT(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

HostFile::~HostFile() {
  if (fd >= 0) close(fd);
}

std::vector<HostFile> makeFiles(Random& random, size_t count, size_t size) {
  std::vector<HostFile> files;
  for (size_t index = 0; index < count; index++) files.emplace_back(randomBytes(random, size));
  return files;
}

ModelWindow makeWindow(Random& random, const std::vector<HostFile>& files, const Shape& shape) {
  ModelWindow made;
  std::vector<size_t> next(files.size());  // where the file goes on, for interleaved runs
  for (size_t& at : next) at = below(random, files[0].bytes.size() / 2);
  while (made.bytes.size() < shape.length) {
    const size_t wanted = 1 + below(random, 2 * shape.averageRun);
    const size_t length = std::min({wanted, shape.length - made.bytes.size(), files[0].bytes.size() / 4});
    const auto size = static_cast<int64_t>(length);
    switch (shape.isInterleaved ? 3 : below(random, shape.hasFallback ? 10 : 9)) {
      case 0:
      case 1:
        made.window.append({size, 0, vdisk::kZero});
        made.bytes.resize(made.bytes.size() + length);
        break;
      case 2: {
        const auto bytes = randomBytes(random, length);
        made.window.append({size, static_cast<int64_t>(made.window.bytes.size()), vdisk::kInline});
        made.window.bytes.insert(made.window.bytes.end(), bytes.begin(), bytes.end());
        made.bytes.insert(made.bytes.end(), bytes.begin(), bytes.end());
        break;
      }
      case 9: {
        const auto bytes = randomBytes(random, length);
        made.window.append({size, 0, vdisk::kFallback});
        made.bytes.insert(made.bytes.end(), bytes.begin(), bytes.end());
        break;
      }
      default: {
        const size_t index = below(random, files.size());
        const HostFile& file = files[index];
        size_t offset = below(random, file.bytes.size() - length + 1);
        if (shape.isInterleaved) {
          if (next[index] + length > file.bytes.size()) next[index] = 0;
          offset = next[index];
          next[index] += length;
        }
        made.window.append({size, static_cast<int64_t>(offset), file.fd});
        made.bytes.insert(made.bytes.end(), file.bytes.begin() + static_cast<ptrdiff_t>(offset),
                          file.bytes.begin() + static_cast<ptrdiff_t>(offset + length));
      }
    }
  }
  return made;
}
