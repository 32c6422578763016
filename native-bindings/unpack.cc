#include "unpack.h"

#include <iterator>

namespace vdisk {

namespace {

bool copyStored(const uint8_t* packed, size_t length, uint8_t* out, size_t size) {
  if (length != size) return false;
  std::memcpy(out, packed, size);
  return true;
}

// To add a codec, write its function and a row here. The rows may be in any order.
constexpr Codec kCodecs[] = {
    {"lznt1", unpackLznt1},
    {"xpress", unpackXpress},
    {"lzx", unpackLzx},
    {"stored", copyStored},
};

}  // namespace

std::span<const Codec> codecs() { return kCodecs; }

bool toChunk(const double* fields, size_t packedSize, size_t size, Chunk& chunk) {
  uint32_t words[ChunkFields::count];
  for (size_t field = 0; field < ChunkFields::count; field++) {
    if (!(fields[field] >= 0 && fields[field] <= UINT32_MAX)) return false;  // also if it is not a number
    words[field] = static_cast<uint32_t>(fields[field]);
  }
  chunk = {words[ChunkFields::codec], words[ChunkFields::start], words[ChunkFields::end], words[ChunkFields::offset],
           words[ChunkFields::size]};
  return chunk.codec < std::size(kCodecs) && chunk.start <= chunk.end && chunk.end <= packedSize &&
         chunk.offset <= size && chunk.size <= size - chunk.offset;
}

bool unpackChunk(const Chunk& chunk, const uint8_t* packed, uint8_t* into) {
  return kCodecs[chunk.codec].unpack(packed + chunk.start, chunk.end - chunk.start, into + chunk.offset, chunk.size);
}

}  // namespace vdisk
