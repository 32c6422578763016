// Decodes canonical Huffman codes whose words begin at the highest bit. See src/bytes/compression/huffman.ts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vdisk {

// An entry of the table: a symbol, and in its lowest bits the length of the symbol's word. 0 if the word is longer than
// the index of the table.
constexpr int kLengthBits = 5;
constexpr uint32_t kLengthMask = 31;

enum class Verdict { complete, empty, wrong };

template <size_t kSymbols, int kTableBits>
struct Code {
  static constexpr int kMaxLength = 16;

  uint8_t lengths[kSymbols];

  // Builds the tables from `lengths`, each of which is at most 16.
  Verdict prepare() {
    uint32_t counts[kMaxLength + 1] = {};
    for (const uint8_t length : lengths) counts[length]++;
    uint32_t end = 0, place = 0, places[kMaxLength + 1];
    for (int length = 1; length <= kMaxLength; length++) {
      places[length] = place;
      shifts[length] = static_cast<int32_t>(place) - static_cast<int32_t>(end >> (kMaxLength - length));
      end += counts[length] << (kMaxLength - length);
      ends[length] = end;
      place += counts[length];
    }
    if (place == 0) std::memset(table, 0, sizeof table);
    if (end != 1u << kMaxLength) return place == 0 ? Verdict::empty : Verdict::wrong;
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

  // Returns the entry for the word that begins at the highest of the 32 bits `next`; 0 if there is none.
  uint32_t decode(uint32_t next) const {
    const uint32_t entry = table[next >> (32 - kTableBits)];
    return entry != 0 ? entry : findLong(next);
  }

 private:
  uint32_t findLong(uint32_t next) const {
    for (int length = kTableBits + 1; length <= kMaxLength; length++) {
      if (next >> (32 - kMaxLength) >= ends[length]) continue;
      const auto word = static_cast<int32_t>(next >> (32 - length));
      return static_cast<uint32_t>(sorted[word + shifts[length]]) << kLengthBits | length;
    }
    return 0;
  }

  uint16_t table[1 << kTableBits];
  uint16_t sorted[kSymbols];     // all symbols, in the order of their words
  uint32_t ends[kMaxLength + 1];  // by length: the first 16 bits past the last word of that length or less
  int32_t shifts[kMaxLength + 1];  // by length: what to add to a word to get the index of its symbol in `sorted`
};

}  // namespace vdisk
