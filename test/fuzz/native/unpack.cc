// Packed bytes for the decoder CODEC (0: LZNT1, 1: XPRESS, 2: LZX): a size in two bytes, then what is packed. The buffers
// are exactly as large as what is in them, so that the sanitizers see every byte beside them.
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "../../../native-bindings/unpack.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  constexpr size_t kLimits[] = {65536, 65536, 32768};
  if (length < 2) return 0;
  const uint32_t size = 1 + (data[0] | data[1] << 8) % kLimits[CODEC];
  const size_t packedSize = length - 2;
  const std::unique_ptr<uint8_t[]> packed(new uint8_t[packedSize]), out(new uint8_t[size]);
  std::memcpy(packed.get(), data + 2, packedSize);
  const double numbers[] = {CODEC, 0, static_cast<double>(packedSize), 0, static_cast<double>(size)};
  vdisk::Chunk chunk;
  if (!vdisk::toChunk(numbers, packedSize, size, chunk)) std::abort();
  if (!vdisk::unpackChunk(chunk, packed.get(), out.get())) return 0;
  // What went well has filled every byte: the sum reads them all.
  uint32_t sum = 0;
  for (uint32_t at = 0; at < size; at++) sum += out[at];
  return sum == UINT32_MAX ? 1 : 0;
}
