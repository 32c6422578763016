// XPRESS with Huffman codes: src/bytes/compression/xpress.ts.
#include <memory>

#include "codes.h"
#include "unpack.h"

namespace vdisk {

namespace {

constexpr size_t kSymbols = 512, kLengths = kSymbols / 2;
constexpr size_t kShortest = 3;      // bytes of a match
constexpr uint32_t kLongLength = 15;  // says that bytes with the true one follow

struct Room {
  Code<kSymbols, 11> code;
  uint8_t in[kLongestPacked + kSlack];
  uint8_t out[kLongestUnpacked + kSlack];
};

// The next bits, 17 of them at least, at the top of `next`; words of 16 bits are taken as soon as there is room.
struct Bits {
  const uint8_t* at;  // the next word, and where bytes in between the words are
  uint32_t next;
  int spare = 16;

  explicit Bits(const uint8_t* from) : at(from + 4), next(word(from) << 16 | word(from + 2)) {}

  static uint32_t word(const uint8_t* from) { return from[0] | from[1] << 8; }

  // Without a branch: nobody could guess when a word has been used up.
  void drop(int count) {
    next <<= count;
    spare -= count;
    const int isUsedUp = spare >> 31;  // all bits, or none
    next |= (word(at) & isUsedUp) << (-spare & 31);
    at += 2 & isUsedUp;
    spare += 16 & isUsedUp;
  }
};

// The length that follows in bytes; 0 where it is none.
size_t longLength(Bits& bits) {
  size_t length = kLongLength + *bits.at++;
  if (length < kLongLength + 255) return length;
  length = Bits::word(bits.at);
  bits.at += 2;
  return length < kLongLength ? 0 : length;
}

bool unpackSymbols(const Room& room, size_t length, uint8_t* const out, size_t size) {
  const uint8_t* const end = room.in + length;
  Bits bits(room.in + kLengths);
  for (size_t to = 0; to < size;) {
    const uint32_t entry = room.code.look(bits.next);
    bits.drop(entry & kLengthMask);
    if (bits.at - 2 > end) return false;
    const uint32_t symbol = entry >> kLengthBits;
    if (symbol < 256) {
      out[to++] = static_cast<uint8_t>(symbol);
      continue;
    }
    size_t count = symbol & 15;
    if (count == kLongLength) {
      count = longLength(bits);
      if (count == 0 || bits.at > end) return false;
    }
    count += kShortest;
    const int distanceBits = symbol >> 4 & 15;
    // Two shifts, since one by 32 would be none.
    const size_t distance = (1u << distanceBits) | (bits.next >> 1) >> (31 - distanceBits);
    bits.drop(distanceBits);
    if (bits.at - 2 > end || distance > to || count > size - to) return false;
    copyMatch(out + to, distance, count);
    to += count;
  }
  return true;
}

}  // namespace

bool unpackXpress(const uint8_t* packed, size_t length, uint8_t* out, size_t size) {
  thread_local const std::unique_ptr<Room> room(new Room);
  if (length < kLengths || length > kLongestPacked || size > kLongestUnpacked) return false;
  for (size_t at = 0; at < kLengths; at++) {
    room->code.lengths[2 * at] = packed[at] & 15;
    room->code.lengths[2 * at + 1] = packed[at] >> 4;
  }
  if (room->code.prepare() != Verdict::complete) return false;
  std::memcpy(room->in, packed, length);
  std::memset(room->in + length, 0, kSlack);
  if (!unpackSymbols(*room, length, room->out, size)) return false;
  std::memcpy(out, room->out, size);
  return true;
}

}  // namespace vdisk
