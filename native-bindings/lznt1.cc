// LZNT1: src/bytes/compression/lznt1.ts.
#include "unpack.h"

namespace vdisk {

namespace {

constexpr size_t kChunk = 4096;
constexpr size_t kShortest = 3;  // bytes of a match

// The bytes of one chunk's `data` in `out`, which has room for kChunk and the slack; -1 where it is damaged.
int64_t unpackChunk(const uint8_t* at, const uint8_t* const end, uint8_t* const out) {
  size_t to = 0;
  int lengthBits = 12;
  size_t reach = 16;  // the distance has as many bits as reach back to the chunk's start
  while (at < end) {
    uint32_t flags = *at++;
    if (flags == 0 && end - at >= 8 && to + 8 <= kChunk) {
      std::memcpy(out + to, at, 8);
      at += 8;
      to += 8;
      continue;
    }
    for (int left = 8; left > 0 && at < end; left--, flags >>= 1) {
      if ((flags & 1) == 0) {
        if (to == kChunk) return -1;
        out[to++] = *at++;
        continue;
      }
      if (end - at < 2) return -1;
      const uint32_t match = at[0] | at[1] << 8;
      at += 2;
      for (; to > reach; reach *= 2) lengthBits--;
      const size_t length = (match & ((1u << lengthBits) - 1)) + kShortest;
      const size_t distance = (match >> lengthBits) + 1;
      if (distance > to || length > kChunk - to) return -1;
      copyMatch(out + to, distance, length);
      to += length;
    }
  }
  return static_cast<int64_t>(to);
}

}  // namespace

bool unpackLznt1(const uint8_t* packed, size_t length, uint8_t* out, size_t size) {
  uint8_t chunk[kChunk + kSlack];
  size_t at = 0;
  for (size_t start = 0; start < size; start += kChunk) {
    if (length - at < 2) return false;
    const uint32_t header = packed[at] | packed[at + 1] << 8;
    if (header == 0) {
      std::memset(out + start, 0, size - start);
      return true;
    }
    const size_t count = (header & 0xfff) + 3;
    if ((header >> 12 & 7) != 3 || count > length - at) return false;
    const uint8_t* data = packed + at + 2;
    size_t filled = count - 2;
    if ((header & 0x8000) != 0) {
      const int64_t unpacked = unpackChunk(data, data + filled, chunk);
      if (unpacked < 0) return false;
      filled = static_cast<size_t>(unpacked);
      data = chunk;
    }
    if (filled > kChunk) return false;
    const size_t wanted = size - start < kChunk ? size - start : kChunk;
    if (filled > wanted) filled = wanted;
    std::memcpy(out + start, data, filled);
    std::memset(out + start + filled, 0, wanted - filled);
    at += count;
  }
  return true;
}

}  // namespace vdisk
