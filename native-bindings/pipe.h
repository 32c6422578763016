// Moves bytes of a file of the host to /dev/fuse by splice(2), without a copy in between. Does not use Node-API.
#pragma once

#include <cstdint>

#include "extents.h"

namespace vdisk {

// A pipe that is created when it is first used. For one thread at a time.
class Pipe {
 public:
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  ~Pipe() { close(); }

  // Answers the request `unique` with the bytes of `piece`. Returns false if the file ends too early, the host reports an
  // error, or such a pipe cannot be created; the caller may then send another reply. (If the file was truncated while its
  // pages were in the pipe, the kernel has already answered EIO, and rejects that reply.)
  bool answer(int device, uint64_t unique, const Piece& piece);

 private:
  bool create();
  bool fill(uint64_t unique, const Piece& piece);
  void close();

  int ends_[2] = {-1, -1};  // owned: the end to read from, the end to write to
  bool isUsable_ = true;
};

}  // namespace vdisk
