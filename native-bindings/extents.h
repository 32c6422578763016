// Where bytes are, for threads that read without asking TypeScript; and the reading. Nothing of Node is used here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vdisk {

// In place of a run's descriptor. The numbers are those of src/fuse/native/windows.ts.
constexpr int kZero = -1;       // zeros that are stored nowhere
constexpr int kElsewhere = -2;  // only TypeScript knows: compressed, damaged
constexpr int kInline = -3;     // in the window's own bytes

struct Run {
  int64_t length;
  int64_t offset;  // in the file, or in the window's own bytes
  int fd;
};

// What a stretch of a source consists of: `runs`, in order and gapless.
struct Window {
  std::vector<Run> runs;
  std::vector<int64_t> starts;  // of the runs, within the window
  std::vector<char> bytes;
  int64_t length = 0;

  void append(const Run& run) {
    runs.push_back(run);
    starts.push_back(length);
    length += run.length;
  }

  // In runs: a window's own place takes about as much memory as eight.
  size_t cost() const { return 8 + runs.size() + bytes.size() / sizeof(Run); }
};

// A part of a read.
struct Piece {
  int fd;
  int64_t offset;
  char* into;
  size_t length;
};

// Fills `into` with zeros and inline bytes of `window`, from `skip` on, and appends what is to be read from files.
// False where a part is elsewhere.
bool plan(const Window& window, int64_t skip, size_t length, char* into, std::vector<Piece>& pieces);

// Fills all pieces, whose order is lost; those that follow one another in a file in one system call. False where a
// file ends before, or the host fails: who asks TypeScript then hears why.
bool readPieces(std::vector<Piece>& pieces);

}  // namespace vdisk
