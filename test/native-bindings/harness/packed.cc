// Random packed bytes behind complete Huffman codes, which no program would make. The sanitizers check accesses to memory:
// the buffers are exactly as large as their contents.
#include <vector>

#include "../../../native-bindings/unpack.h"
#include "expect.h"
#include "scenarios.h"

namespace {

using Bytes = std::vector<uint8_t>;
using Unpack = bool (*)(const uint8_t*, size_t, uint8_t*, size_t);

void append(Bytes& bytes, Random& random, size_t count) {
  const bool isFlat = random() % 4 == 0;
  for (const uint8_t same = random(); count > 0; count--) bytes.push_back(isFlat ? same : random());
}

Bytes lznt1(Random& random, size_t) {
  Bytes bytes;
  for (size_t chunks = random() % 4 + 1; chunks > 0; chunks--) {
    const size_t count = random() % 1500 + 1;
    const uint32_t header = 0x3000 | (random() % 4 ? 0x8000 : 0) | (count - 1);
    bytes.push_back(header & 0xff);
    bytes.push_back(header >> 8);
    append(bytes, random, count);
  }
  return bytes;
}

Bytes xpress(Random& random, size_t) {
  // Words of 8, 12 and 13 bits: most are literal bytes, so that a match has bytes to copy.
  Bytes bytes(120, 0x88);
  bytes.resize(240, 0xcc);
  bytes.resize(256, 0xdd);
  append(bytes, random, random() % 5000);
  return bytes;
}

// The start of a block, with codes of nearly equal lengths: 496 words of 8 and 9 bits, 249 of 7 and 8.
struct Block {
  Bytes bytes;
  uint32_t word = 0;
  int count = 0;

  void bits(uint32_t value, int length) {
    while (length-- > 0) {
      word = word << 1 | (value >> length & 1);
      if (++count < 16) continue;
      bytes.push_back(word & 0xff);
      bytes.push_back(word >> 8 & 0xff);
      count = 0;
    }
  }

  void lengths(int from, int to, int few, int length) {
    for (int symbol = 0; symbol < 20; symbol++) bits(symbol < 16 ? 4 : 0, 4);
    for (int symbol = from; symbol < to; symbol++) bits(17 - (symbol < few ? length : length + 1), 4);
  }
};

Bytes lzx(Random& random, size_t size) {
  Block block;
  const bool isAligned = random() % 2;
  block.bits(isAligned ? 2 : 1, 3);
  block.bits(0, 1);
  block.bits(size, 16);
  if (isAligned)
    for (int symbol = 0; symbol < 8; symbol++) block.bits(3, 3);
  block.lengths(0, 256, 16, 8);
  block.lengths(256, 496, 16, 8);
  block.lengths(0, 249, 7, 7);
  append(block.bytes, random, random() % 30000);
  return block.bytes;
}

}  // namespace

void packed(Random& random) {
  constexpr Unpack unpacks[] = {vdisk::unpackLznt1, vdisk::unpackXpress, vdisk::unpackLzx};
  constexpr Bytes (*makers[])(Random&, size_t) = {lznt1, xpress, lzx};
  constexpr size_t limits[] = {65536, 65536, 32768};
  size_t good[3] = {};
  for (int round = 0; round < 6000; round++) {
    const int codec = round % 3;
    const size_t size = 1 + random() % (random() % 8 ? 20 : limits[codec]);
    Bytes bytes = makers[codec](random, size);
    if (random() % 3 == 0) bytes.resize(random() % (bytes.size() + 1));
    for (size_t changes = random() % 3; changes > 0 && !bytes.empty(); changes--)
      bytes[random() % bytes.size()] = random();
    Bytes out(size);
    const Bytes exact(bytes);
    good[codec] += unpacks[codec](exact.data(), exact.size(), out.data(), size);
  }
  for (const size_t count : good) EXPECT(count > 20);
}
