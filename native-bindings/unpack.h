// Decoders for compressed files: the same formats as in src/bytes/compression, which describes them, but faster and
// without V8. They return false if the bytes are damaged; src/bytes/compression then unpacks them again and throws an
// error that says what is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "layouts.h"

namespace vdisk {

// Bytes of the largest chunk with Huffman codes, unpacked and packed.
constexpr size_t kLongestUnpacked = 65536, kLongestPacked = 2 * kLongestUnpacked;

// Bytes past the end of a buffer that a decoder may read or overwrite.
constexpr size_t kSlack = 64;

// Unpack to `size` bytes in `out`. Return false if `packed` is damaged; `out` is then undefined.
bool unpackLznt1(const uint8_t* packed, size_t length, uint8_t* out, size_t size);
bool unpackXpress(const uint8_t* packed, size_t length, uint8_t* out, size_t size);
bool unpackLzx(const uint8_t* packed, size_t length, uint8_t* out, size_t size);

// A chunk: see README.md.
struct Chunk {
  uint32_t codec, start, end, offset, size;
};

// A codec. src/bytes/compression/codecs.ts has one of the same name.
struct Codec {
  const char* name;
  bool (*unpack)(const uint8_t* packed, size_t length, uint8_t* out, size_t size);
};

// All codecs, by number.
std::span<const Codec> codecs();

// Converts the fields of a chunk. Returns false if they are not valid for `packedSize` packed and `size` unpacked bytes.
bool toChunk(const double* fields, size_t packedSize, size_t size, Chunk& chunk);

// Unpacks `chunk` of `packed` to its offset in `into`. Returns false if it is damaged.
bool unpackChunk(const Chunk& chunk, const uint8_t* packed, uint8_t* into);

// Copies to `to` the `length` bytes that begin `distance` before it. If `length` is greater than `distance`, they repeat.
// May overwrite up to 16 bytes past the end: most matches are short, and copies of a fixed length need no branch that the
// processor could predict wrongly.
inline void copyMatch(uint8_t* to, size_t distance, size_t length) {
  const uint8_t* from = to - distance;
  uint8_t* const stop = to + length;
  if (distance < 8) {
    // The first eight bytes repeat the pattern, so that whole words can be copied from a multiple of `distance` before.
    for (int i = 0; i < 8; i++) to[i] = from[i];
    if (length <= 8) return;
    constexpr uint8_t kRepeated[] = {0, 8, 8, 9, 8, 10, 12, 14};  // the first multiple of `distance` from 8 on
    to += 8;
    from = to - kRepeated[distance];
  }
  do {
    std::memcpy(to, from, 8);
    std::memcpy(to + 8, from + 8, 8);
    to += 16;
    from += 16;
  } while (to < stop);
}

}  // namespace vdisk
