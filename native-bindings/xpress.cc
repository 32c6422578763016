// XPRESS with Huffman codes. See src/bytes/compression/xpress.ts.
#include <memory>

#include "codes.h"
#include "unpack.h"

namespace vdisk {

namespace {

constexpr size_t kSymbols = 512, kLengths = kSymbols / 2;
constexpr size_t kMinMatch = 3;       // bytes
constexpr uint32_t kLongLength = 15;  // bytes with the length follow

struct Scratch {
  Code<kSymbols, 11> code;
  uint8_t in[kLongestPacked + kSlack];
  uint8_t out[kLongestUnpacked + kSlack];
};

// A stream of bits, read in words of 16 bits. `next` holds the next bits, at least 17 of them, from the highest one down.
struct Bits {
  const uint8_t* at;  // of the next word; or of single bytes that lie between the words
  uint32_t next;
  int spare = 16;

  explicit Bits(const uint8_t* from) : at(from + 4), next(word(from) << 16 | word(from + 2)) {}

  static uint32_t word(const uint8_t* from) { return from[0] | from[1] << 8; }

  // Without a branch: the processor could not predict when a word is used up.
  void skip(int count) {
    next <<= count;
    spare -= count;
    const int isUsedUp = spare >> 31;  // all bits, or none
    next |= (word(at) & isUsedUp) << (-spare & 31);
    at += 2 & isUsedUp;
    spare += 16 & isUsedUp;
  }
};

// Reads a length that is stored in bytes. Returns 0 if it is invalid.
size_t longLength(Bits& bits) {
  size_t length = kLongLength + *bits.at++;
  if (length < kLongLength + 255) return length;
  length = Bits::word(bits.at);
  bits.at += 2;
  return length < kLongLength ? 0 : length;
}

bool unpackSymbols(const Scratch& scratch, size_t length, uint8_t* const out, size_t size) {
  const uint8_t* const end = scratch.in + length;
  Bits bits(scratch.in + kLengths);
  for (size_t to = 0; to < size;) {
    const uint32_t entry = scratch.code.decode(bits.next);
    bits.skip(entry & kLengthMask);
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
    count += kMinMatch;
    const int distanceBits = symbol >> 4 & 15;
    // In two shifts: a shift by 32 is undefined in C++.
    const size_t distance = (1u << distanceBits) | (bits.next >> 1) >> (31 - distanceBits);
    bits.skip(distanceBits);
    if (bits.at - 2 > end || distance > to || count > size - to) return false;
    copyMatch(out + to, distance, count);
    to += count;
  }
  return true;
}

}  // namespace

bool unpackXpress(const uint8_t* packed, size_t length, uint8_t* out, size_t size) {
  thread_local const std::unique_ptr<Scratch> scratch(new Scratch);
  if (length < kLengths || length > kLongestPacked || size > kLongestUnpacked) return false;
  for (size_t at = 0; at < kLengths; at++) {
    scratch->code.lengths[2 * at] = packed[at] & 15;
    scratch->code.lengths[2 * at + 1] = packed[at] >> 4;
  }
  if (scratch->code.prepare() != Verdict::complete) return false;
  std::memcpy(scratch->in, packed, length);
  std::memset(scratch->in + length, 0, kSlack);
  if (!unpackSymbols(*scratch, length, scratch->out, size)) return false;
  std::memcpy(out, scratch->out, size);
  return true;
}

}  // namespace vdisk
