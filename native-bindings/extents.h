// Windows: parts of sources, mapped to files of the host, and reads from them. Does not use Node-API.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "layouts.h"
#include "unpack.h"

namespace vdisk {

// Bytes of the largest read that the kernel can request (FUSE_MAX_MAX_PAGES), and of all packed bytes for one read.
constexpr size_t kMaxRead = 1 << 20;

struct Run {
  int64_t length;
  int64_t offset;  // in the file, or in the window's bytes; or the index of a unit
  int fd;          // or a kind (layouts.h)
};

// A compressed unit. Its `packed` bytes are those of `parts`, one after the other; `chunks` say how to unpack them.
struct Unit {
  std::vector<Run> parts;
  std::vector<Chunk> chunks;
  size_t packed = 0;
};

// A one-shot flag: `take` returns true to one caller, if the flag was set at first. A copy has the original's initial value.
class OneShotFlag {
 public:
  explicit OneShotFlag(bool isSet) : wasSet_(isSet), isTaken_(!isSet) {}
  OneShotFlag(const OneShotFlag& other) : OneShotFlag(other.wasSet_) {}
  bool take() const { return !isTaken_.load(std::memory_order_relaxed) && !isTaken_.exchange(true); }

 private:
  const bool wasSet_;
  mutable std::atomic<bool> isTaken_;
};

// A part of a source: `runs`, in order and without gaps.
struct Window {
  explicit Window(bool notifyFirstRead = false) : notifyFirstRead(notifyFirstRead) {}

  std::vector<Run> runs;
  std::vector<int64_t> starts;  // of the runs, within the window
  std::vector<char> bytes;
  std::vector<Unit> units;
  int64_t length = 0;
  OneShotFlag notifyFirstRead;  // whether TypeScript is notified of the first read

  void append(const Run& run) {
    runs.push_back(run);
    starts.push_back(length);
    length += run.length;
  }

  // The memory that it takes, counted in runs: a window without runs takes about as much as eight, a unit as four.
  size_t cost() const {
    size_t cost = 8 + runs.size() + bytes.size() / sizeof(Run);
    for (const Unit& unit : units) cost += 4 + unit.parts.size() + unit.chunks.size();
    return cost;
  }
};

// Bytes of a file of the host, and where to put them.
struct Piece {
  int fd;
  int64_t offset;
  char* into;
  size_t length;
};

// Reads all pieces, and sorts them. Pieces that are adjacent in a file are read by one system call. Returns false if a
// file ends too early or the host reports an error.
bool readPieces(std::vector<Piece>& pieces);

// One read: planned from windows, then executed. Used again for the next read of the same thread.
class Reading {
 public:
  void clear();

  // Plans to read `length` bytes of `window` from `skip` on. Copies zeros and inline bytes to `into` at once, and records
  // what `finish` has to read and unpack. Returns false if only TypeScript can read a part of it.
  bool plan(const std::shared_ptr<const Window>& window, int64_t skip, size_t length, char* into);

  // The one piece that is planned; null unless the whole read consists of `length` adjacent bytes of one file.
  const Piece* singlePiece(size_t length) const {
    return pieces_.size() == 1 && pieces_[0].length == length && units_.empty() ? pieces_.data() : nullptr;
  }

  // Reads and unpacks what is planned. Returns false like `readPieces`, and if packed bytes are damaged.
  bool finish();

 private:
  struct Packed {
    const Unit* unit;
    const char* from;
    char* into;
  };

  void planPiece(const Piece& piece);
  bool planUnit(const Unit& unit, char* into);

  std::vector<Piece> pieces_;
  std::vector<Packed> units_;
  std::vector<std::shared_ptr<const Window>> windows_;  // keeps the windows of `units_` alive
  std::unique_ptr<char[]> packedBytes_;  // of kMaxRead bytes, allocated for the first unit
  size_t used_ = 0;  // of `packedBytes_`
};

}  // namespace vdisk
