// Where bytes are, for threads that read without asking TypeScript; and the reading. Nothing of Node is used here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "unpack.h"

namespace vdisk {

// In place of a run's descriptor. The numbers are those of src/fuse/native/windows.ts.
constexpr int kZero = -1;       // zeros that are stored nowhere
constexpr int kElsewhere = -2;  // only TypeScript knows: damaged, or compressed in a way unknown here
constexpr int kInline = -3;     // in the window's own bytes
constexpr int kPacked = -4;     // all of one of the window's units

// Bytes of the largest read that there can be (FUSE_MAX_MAX_PAGES), and of all that is packed in it.
constexpr size_t kMaxRead = 1 << 20;

struct Run {
  int64_t length;
  int64_t offset;  // in the file, or in the window's own bytes; or which unit
  int fd;
};

// A compressed unit: `parts` of files, one after the other, have `packed` bytes, of which `chunks` are to be made.
struct Unit {
  std::vector<Run> parts;
  std::vector<Chunk> chunks;
  size_t packed = 0;
};

// Says yes once, whoever asks first, if at all; a copy says what the original said at first.
class Once {
 public:
  explicit Once(bool isEver) : isEver_(isEver), isOver_(!isEver) {}
  Once(const Once& other) : Once(other.isEver_) {}
  bool isFirst() const { return !isOver_.load(std::memory_order_relaxed) && !isOver_.exchange(true); }

 private:
  const bool isEver_;
  mutable std::atomic<bool> isOver_;
};

// What a stretch of a source consists of: `runs`, in order and gapless. Its first read may have to be told of.
struct Window {
  explicit Window(bool isTold = false) : use(isTold) {}

  std::vector<Run> runs;
  std::vector<int64_t> starts;  // of the runs, within the window
  std::vector<char> bytes;
  std::vector<Unit> units;
  int64_t length = 0;
  Once use;

  void append(const Run& run) {
    runs.push_back(run);
    starts.push_back(length);
    length += run.length;
  }

  // In runs: a window's own place takes about as much memory as eight, a unit's as four.
  size_t cost() const {
    size_t cost = 8 + runs.size() + bytes.size() / sizeof(Run);
    for (const Unit& unit : units) cost += 4 + unit.parts.size() + unit.chunks.size();
    return cost;
  }
};

// A part of a read.
struct Piece {
  int fd;
  int64_t offset;
  char* into;
  size_t length;
};

// Fills all pieces, whose order is lost; those that follow one another in a file in one system call. False where a
// file ends before, or the host fails: who asks TypeScript then hears why.
bool readPieces(std::vector<Piece>& pieces);

// A read: planned from windows, then done. For one thread, again and again.
class Reading {
 public:
  void clear();

  // Fills `into` with zeros and inline bytes of `window`, from `skip` on, and notes what is to be read and unpacked.
  // False where a part is elsewhere.
  bool plan(const std::shared_ptr<const Window>& window, int64_t skip, size_t length, char* into);

  // What is planned, where that is nothing but `length` bytes that follow one another in a file.
  const Piece* row(size_t length) const {
    return pieces_.size() == 1 && pieces_[0].length == length && units_.empty() ? pieces_.data() : nullptr;
  }

  // Reads and unpacks what is planned. False as `readPieces`, and where packed bytes are damaged.
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
  std::vector<std::shared_ptr<const Window>> windows_;  // whose units these are
  std::unique_ptr<char[]> room_;  // for packed bytes: kMaxRead, once they are met
  size_t used_ = 0;
};

}  // namespace vdisk
