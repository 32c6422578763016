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

// A chunk: how it is packed, where it begins and ends among packed bytes, where it goes, and its size there.
struct Chunk {
  uint32_t codec, from, to, at, size;
};

// The chunk that five numbers from `numbers` on tell; false where it leaves `packed` bytes, or `room` of them.
bool toChunk(const double* numbers, size_t packed, size_t room, Chunk& chunk);

// Unpacks `chunk` of `packed` to its place in `into`; false where it is damaged.
bool unpackChunk(const Chunk& chunk, const uint8_t* packed, uint8_t* into);

// Copies what lies `distance` before `to` to `[to, to + length)`, over and over where that is more. Up to 16 bytes
// past the end are overwritten: most matches are short, and a copy of a fixed length needs no guess about its end.
inline void copyMatch(uint8_t* to, size_t distance, size_t length) {
  const uint8_t* from = to - distance;
  uint8_t* const stop = to + length;
  if (distance < 8) {
    // The first eight, one after the other, have the pattern as often as it takes to go on by words.
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
