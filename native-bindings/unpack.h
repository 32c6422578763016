// What packs files, for reading: the same as src/bytes/compression, which says what the formats are, but off the main
// thread and faster. Nothing is known here of where packed bytes come from. These tell only whether all went well;
// where it did not, src/bytes/compression unpacks once more, and says what is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vdisk {

// Bytes of the longest chunk with Huffman codes, unpacked and packed.
constexpr size_t kLongestUnpacked = 65536, kLongestPacked = 2 * kLongestUnpacked;

// Bytes past the end of what is read or written, which may be looked at, or overwritten.
constexpr size_t kSlack = 64;

// Fill `out`, `size` bytes; false where `packed` is damaged, and `out` is of no use.
bool unpackLznt1(const uint8_t* packed, size_t length, uint8_t* out, size_t size);
bool unpackXpress(const uint8_t* packed, size_t length, uint8_t* out, size_t size);
bool unpackLzx(const uint8_t* packed, size_t length, uint8_t* out, size_t size);

// Copies what lies `distance` before `to` to `[to, to + length)`, over and over where that is more. Up to 7 bytes
// past the end are overwritten.
inline void copyMatch(uint8_t* to, size_t distance, size_t length) {
  const uint8_t* from = to - distance;
  const uint8_t* const stop = to + length;
  if (distance < 8) {
    while (to < stop) *to++ = *from++;
    return;
  }
  for (; to < stop; to += 8, from += 8) std::memcpy(to, from, 8);
}

}  // namespace vdisk
