// LZX as in CompactOS and WIM files. See src/bytes/compression/lzx.ts.
#include <memory>

#include "codes.h"
#include "unpack.h"

namespace vdisk {

namespace {

constexpr size_t kWindow = 32768;
constexpr size_t kMain = 256 + 8 * 30, kLength = 249, kAligned = 8, kPretree = 20;
constexpr size_t kMinMatch = 2;      // bytes
constexpr uint32_t kLongLength = 7;  // a symbol of the length code follows
constexpr uint32_t kVerbatim = 1, kAlignedKind = 2, kStored = 3;

int32_t word32(const uint8_t* from) {
  int32_t value;
  std::memcpy(&value, from, 4);
  return value;  // LZX is little-endian, and so are x86 and ARM
}

class Unpacker {
 public:
  bool unpack(const uint8_t* packed, size_t length, uint8_t* into, size_t size) {
    for (size_t at = 0; at + 1 < length; at += 2) {
      in[at] = packed[at + 1];
      in[at + 1] = packed[at];
    }
    std::memset(in + (length & ~size_t{1}), 0, kSlack);
    std::memset(mainCode.lengths, 0, sizeof mainCode.lengths);
    std::memset(lengthCode.lengths, 0, sizeof lengthCode.lengths);
    recent[0] = recent[1] = recent[2] = 1;
    bit = 0;
    end = length / 2 * 16;
    for (size_t to = 0; to < size;) {
      const uint32_t kind = take(3);
      const size_t block = take(1) != 0 ? kWindow : take(16);
      if (kind < kVerbatim || kind > kStored || block == 0 || block > size - to || bit > end) return false;
      const bool isRead = kind == kStored ? copyStored(packed, length, to, block)
                                          : readCodes(kind == kAlignedKind) &&
                                                unpackSymbols(to, to + block, kind == kAlignedKind);
      if (!isRead) return false;
      to += block;
    }
    translateCalls(size);
    std::memcpy(into, out, size);
    return true;
  }

 private:
  // The next bits, at least 25 of them, from the highest of 32 down.
  uint32_t peek() const { return __builtin_bswap32(word32(in + (bit >> 3))) << (bit & 7); }

  uint32_t take(int count) {
    const uint32_t value = peek() >> (32 - count);
    bit += count;
    return value;
  }

  template <typename Code>
  uint32_t symbol(const Code& code) {
    const uint32_t entry = code.decode(peek());
    bit += entry & kLengthMask;
    return entry;
  }

  bool readCodes(bool isAligned) {
    if (isAligned) {
      for (uint8_t& length : alignedCode.lengths) length = take(3);
      if (alignedCode.prepare() == Verdict::wrong) return false;
    }
    return readLengths(mainCode.lengths, mainCode.lengths + 256) &&
           readLengths(mainCode.lengths + 256, mainCode.lengths + kMain) &&
           mainCode.prepare() == Verdict::complete &&
           readLengths(lengthCode.lengths, lengthCode.lengths + kLength) &&
           lengthCode.prepare() != Verdict::wrong;
  }

  bool readLengths(uint8_t* at, uint8_t* const stop) {
    for (uint8_t& length : pretree.lengths) length = take(4);
    if (pretree.prepare() != Verdict::complete) return false;
    while (at < stop) {
      uint32_t kind = symbol(pretree) >> kLengthBits;
      int run = 1;
      uint8_t value = 0;
      if (kind == 17) {
        run = 4 + take(4);
      } else if (kind == 18) {
        run = 20 + take(5);
      } else {
        if (kind == 19) {
          run = 4 + take(1);
          kind = symbol(pretree) >> kLengthBits;
        }
        if (kind > 16) return false;
        value = (*at + 17 - kind) % 17;
      }
      if (bit > end || run > stop - at) return false;
      std::memset(at, value, run);
      at += run;
    }
    return true;
  }

  bool unpackSymbols(size_t to, const size_t stop, const bool isAligned) {
    while (to < stop) {
      uint32_t entry = symbol(mainCode);
      if (bit > end) return false;
      const uint32_t main = entry >> kLengthBits;
      if (main < 256) {
        out[to++] = static_cast<uint8_t>(main);
        continue;
      }
      size_t length = main & 7;
      if (length == kLongLength) {
        if ((entry = symbol(lengthCode)) == 0) return false;
        length += entry >> kLengthBits;
      }
      length += kMinMatch;
      const uint32_t slot = (main - 256) >> 3;
      uint32_t distance;
      if (slot < 3) {
        distance = recent[slot];
        recent[slot] = recent[0];
      } else {
        int extra = static_cast<int>(slot >> 1) - 1;
        distance = ((2 | (slot & 1)) << extra) - 2;
        if (isAligned && extra >= 3) {
          extra -= 3;
          distance += (peek() >> 1) >> (31 - extra) << 3;
          bit += extra;
          if ((entry = symbol(alignedCode)) == 0) return false;
          distance += entry >> kLengthBits;
        } else {
          distance += (peek() >> 1) >> (31 - extra);
          bit += extra;
        }
        recent[2] = recent[1];
        recent[1] = recent[0];
      }
      recent[0] = distance;
      // A stored block contains the recent distances, so that they may have any value.
      if (distance - 1 >= to || length > stop - to) return false;
      copyMatch(out + to, distance, length);
      to += length;
    }
    return bit <= end;
  }

  bool copyStored(const uint8_t* packed, size_t length, size_t to, size_t size) {
    const size_t at = ((bit >> 4) + 1) * 2, start = at + 12;
    if (start + size > length) return false;
    for (int i = 0; i < 3; i++) recent[i] = word32(packed + at + 4 * i);
    std::memcpy(out + to, packed + start, size);
    bit = (start + size + (size & 1)) * 8;
    return true;
  }

  // Makes the targets of x86 call instructions relative again. See src/bytes/compression/lzx-calls.ts.
  void translateCalls(size_t size) {
    constexpr int32_t kFileSize = 12'000'000;
    if (size <= 10) return;
    uint8_t* const stop = out + size - 10;
    for (uint8_t* at = out; at < stop;) {
      at = static_cast<uint8_t*>(std::memchr(at, 0xe8, stop - at));
      if (at == nullptr) return;
      const auto here = static_cast<int32_t>(at - out);
      const int32_t target = word32(at + 1);
      if (target >= -here && target < kFileSize) {
        const int32_t distance = target >= 0 ? target - here : target + kFileSize;
        std::memcpy(at + 1, &distance, 4);
      }
      at += 5;
    }
  }

  Code<kMain, 11> mainCode;
  Code<kLength, 9> lengthCode;
  Code<kAligned, 7> alignedCode;
  Code<kPretree, 8> pretree;
  uint32_t recent[3];  // distances, most recent first
  size_t bit, end;     // the position in `in` and its end, in bits
  uint8_t in[kLongestPacked + kSlack];  // the input, with its bits in the order in which they are read
  uint8_t out[kWindow + kSlack];
};

}  // namespace

bool unpackLzx(const uint8_t* packed, size_t length, uint8_t* out, size_t size) {
  thread_local const std::unique_ptr<Unpacker> unpacker(new Unpacker);
  return length <= kLongestPacked && size <= kWindow && unpacker->unpack(packed, length, out, size);
}

}  // namespace vdisk
