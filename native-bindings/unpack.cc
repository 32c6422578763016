#include "unpack.h"

#include <iterator>

namespace vdisk {

namespace {

bool copyStored(const uint8_t* packed, size_t length, uint8_t* out, size_t size) {
  if (length != size) return false;
  std::memcpy(out, packed, size);
  return true;
}

using Unpack = bool (*)(const uint8_t* packed, size_t length, uint8_t* out, size_t size);
constexpr Unpack kCodecs[] = {unpackLznt1, unpackXpress, unpackLzx, copyStored};  // src/extent/chunks.ts

}  // namespace

bool toChunk(const double* numbers, size_t packed, size_t room, Chunk& chunk) {
  const double most = UINT32_MAX;
  for (int i = 0; i < 5; i++)
    if (!(numbers[i] >= 0 && numbers[i] <= most)) return false;
  chunk = {static_cast<uint32_t>(numbers[0]), static_cast<uint32_t>(numbers[1]), static_cast<uint32_t>(numbers[2]),
           static_cast<uint32_t>(numbers[3]), static_cast<uint32_t>(numbers[4])};
  return chunk.codec < std::size(kCodecs) && chunk.from <= chunk.to && chunk.to <= packed && chunk.at <= room &&
         chunk.size <= room - chunk.at;
}

bool unpackChunk(const Chunk& chunk, const uint8_t* packed, uint8_t* into) {
  return kCodecs[chunk.codec](packed + chunk.from, chunk.to - chunk.from, into + chunk.at, chunk.size);
}

}  // namespace vdisk
