// The fields of the arrays of numbers that functions of the addon take: README.md describes them. TypeScript writes them
// in src/storage/layouts.ts.
#pragma once

#include <cstddef>

namespace vdisk {

struct RunFields {
  enum : size_t { fd, offset, length, count };
};

struct UnitFields {
  enum : size_t { partCount, chunkCount, count };
};

struct ChunkFields {
  enum : size_t { codec, start, end, offset, size, count };
};

struct ReadFields {
  enum : size_t { fd, fileOffset, offset, length, count };
};

// Kinds of runs, in the place of a descriptor.
constexpr int kZero = -1;
constexpr int kFallback = -2;
constexpr int kInline = -3;
constexpr int kPacked = -4;

}  // namespace vdisk
