// From a file of the host to /dev/fuse without a copy in between: splice(2). Nothing of Node is used here.
#pragma once

#include <cstdint>

#include "extents.h"

namespace vdisk {

// A pipe, made when it is first used. For one thread at a time.
class Pipe {
 public:
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  ~Pipe() { drop(); }

  // Answers the request `unique` with the bytes that `row` would read. False where it has not: the file ends before, the
  // host fails, or no such pipe is to be had. Then there may be another answer (where a page was cut off while it was in
  // the pipe, the kernel has said EIO itself, and does not take it).
  bool answer(int device, uint64_t unique, const Piece& row);

 private:
  bool make();
  bool fill(uint64_t unique, const Piece& row);
  void drop();

  int ends_[2] = {-1, -1};  // owned: to read from, to write to
  bool isOfUse_ = true;
};

}  // namespace vdisk
