// Files of the host, and windows whose runs are scattered over them, with their plain bytes as the model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../../../native-bindings/extents.h"

// Numbers that are the same in every run (splitmix64); <random> would take longer to compile than all of this.
class Random {
 public:
  using result_type = uint64_t;
  explicit Random(uint64_t seed) : state_(seed) {}
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return UINT64_MAX; }

  uint64_t operator()() {
    uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }

 private:
  uint64_t state_;
};

// A number from 0 up to, but not including, `limit`.
inline uint64_t below(Random& random, uint64_t limit) { return random() % limit; }

// A file of the host with random bytes; it has no name.
struct HostFile {
  explicit HostFile(std::vector<char> bytes);
  HostFile(const HostFile&) = delete;
  HostFile(HostFile&& other) noexcept : fd(other.fd), bytes(std::move(other.bytes)) { other.fd = -1; }
  ~HostFile();

  int fd;  // owned
  std::vector<char> bytes;
};

std::vector<HostFile> makeFiles(Random& random, size_t count, size_t size);

// A window, and its bytes. Only the test knows the bytes of fallback runs.
struct ModelWindow {
  vdisk::Window window;
  std::vector<char> bytes;
};

struct Shape {
  size_t length;
  size_t averageRun;
  bool isInterleaved;  // runs alternate between the files, and follow one another in each
  bool hasFallback;
};

ModelWindow makeWindow(Random& random, const std::vector<HostFile>& files, const Shape& shape);
