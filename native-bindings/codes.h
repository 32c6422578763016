// Canonical Huffman codes, read from the highest bit down: src/bytes/compression/huffman.ts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vdisk {

// A look at the table gives a symbol above five bits that hold its word's length; 0 where the word is longer.
constexpr int kLengthBits = 5;
constexpr uint32_t kLengthMask = 31;

enum class Verdict { complete, empty, wrong };

template <size_t kSymbols, int kTableBits>
struct Code {
  static constexpr int kLongest = 16;

  uint8_t lengths[kSymbols];

  // Makes the code ready from its lengths, which are 16 at most.
  Verdict prepare() {
    uint32_t counts[kLongest + 1] = {};
    for (const uint8_t length : lengths) counts[length]++;
    uint32_t end = 0, place = 0, places[kLongest + 1];
    for (int length = 1; length <= kLongest; length++) {
      places[length] = place;
      shifts[length] = static_cast<int32_t>(place) - static_cast<int32_t>(end >> (kLongest - length));
      end += counts[length] << (kLongest - length);
      ends[length] = end;
      place += counts[length];
    }
    if (place == 0) std::memset(table, 0, sizeof table);
    if (end != 1u << kLongest) return place == 0 ? Verdict::empty : Verdict::wrong;
    for (size_t symbol = 0; symbol < kSymbols; symbol++)
      if (lengths[symbol] != 0) sorted[places[lengths[symbol]]++] = static_cast<uint16_t>(symbol);
    uint16_t* at = table;
    const uint16_t* symbol = sorted;
    for (int length = 1; length <= kTableBits; length++) {
      for (uint32_t left = counts[length]; left > 0; left--) {
        const auto entry = static_cast<uint16_t>(*symbol++ << kLengthBits | length);
        for (uint16_t* const until = at + (1 << (kTableBits - length)); at < until;) *at++ = entry;
      }
    }
    std::memset(at, 0, reinterpret_cast<char*>(table + (1 << kTableBits)) - reinterpret_cast<char*>(at));
    return Verdict::complete;
  }

  // Symbol and length of the word at the top of the 32 bits `next`; 0 where there is none.
  uint32_t look(uint32_t next) const {
    const uint32_t entry = table[next >> (32 - kTableBits)];
    return entry != 0 ? entry : findLong(next);
  }

 private:
  uint32_t findLong(uint32_t next) const {
    for (int length = kTableBits + 1; length <= kLongest; length++) {
      if (next >> (32 - kLongest) >= ends[length]) continue;
      const auto word = static_cast<int32_t>(next >> (32 - length));
      return static_cast<uint32_t>(sorted[word + shifts[length]]) << kLengthBits | length;
    }
    return 0;
  }

  uint16_t table[1 << kTableBits];
  uint16_t sorted[kSymbols];    // all symbols in the order of their words
  uint32_t ends[kLongest + 1];  // by length: the first 16 bits past the last word of that length or less
  int32_t shifts[kLongest + 1];  // by length: what to add to a word for its place in `sorted`
};

}  // namespace vdisk
