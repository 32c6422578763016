// LZNT1. See src/bytes/compression/lznt1.ts.
#include "unpack.h"

namespace vdisk {

namespace {

constexpr size_t kChunk = 4096;
constexpr size_t kMinMatch = 3;  // bytes

// Unpacks one chunk to `out`, which has kChunk + kSlack bytes. Returns its size, or -1 if it is damaged.
int64_t unpackChunk(const uint8_t* at, const uint8_t* const end, uint8_t* const out) {
  size_t to = 0;
  int lengthBits = 12;
  size_t reach = 16;  // a distance has as many bits as it takes to reach back to the start of the chunk
  // Copies one match. Returns false if it is damaged.
  const auto match = [&] {
    const uint32_t word = at[0] | at[1] << 8;
    at += 2;
    for (; to > reach; reach *= 2) lengthBits--;
    const size_t length = (word & ((1u << lengthBits) - 1)) + kMinMatch;
    const size_t distance = (word >> lengthBits) + 1;
    if (distance > to || to > kChunk || length > kChunk - to) return false;
    copyMatch(out + to, distance, length);
    to += length;
    return true;
  };

  // Eight items at a time, while the input certainly holds all of them and eight bytes more: adjacent literals are copied
  // in one step.
  while (end - at >= 1 + 8 * 2 + 8 && to <= kChunk) {
    uint32_t flags = *at++ | 1u << 8;
    for (;;) {
      const int literals = __builtin_ctz(flags);
      std::memcpy(out + to, at, 8);
      at += literals;
      to += literals;
      flags >>= literals;
      if (flags == 1) break;
      if (!match()) return -1;
      flags >>= 1;
      if (flags == 1) break;
    }
  }
  while (at < end) {
    uint32_t flags = *at++;
    for (int left = 8; left > 0 && at < end; left--, flags >>= 1) {
      if ((flags & 1) != 0) {
        if (end - at < 2 || !match()) return -1;
      } else {
        if (to >= kChunk) return -1;
        out[to++] = *at++;
      }
    }
  }
  return to <= kChunk ? static_cast<int64_t>(to) : -1;
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
