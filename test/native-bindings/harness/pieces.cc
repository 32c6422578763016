// Compares Reading and readPieces with a model.
#include <algorithm>
#include <cstring>

#include "expect.h"
#include "scene.h"
#include "scenarios.h"

using vdisk::Piece;
using vdisk::Window;

namespace {

// Reads a part of a window. Returns false if a part of it is a fallback run.
bool readPart(const std::shared_ptr<const Window>& window, size_t skip, std::vector<char>& into) {
  static vdisk::Reading reading;
  reading.clear();
  if (!reading.plan(window, static_cast<int64_t>(skip), into.size(), into.data())) return false;
  EXPECT(reading.finish());
  return true;
}

bool touchesFallback(const Window& window, size_t skip, size_t length) {
  for (size_t index = 0; index < window.runs.size(); index++) {
    const auto start = static_cast<size_t>(window.starts[index]);
    const auto end = start + static_cast<size_t>(window.runs[index].length);
    if (window.runs[index].fd == vdisk::kFallback && start < skip + length && skip < end) return true;
  }
  return false;
}

// Every part of windows of every shape is the same as in the model, or refused exactly if it touches a fallback run.
void windowsReadAsTheModel(Random& random) {
  const auto files = makeFiles(random, 3, 50'021);
  size_t refused = 0, read = 0;
  for (const size_t averageRun : {1u, 7u, 300u, 9000u}) {
    for (const bool isInterleaved : {false, true}) {
      for (const bool hasFallback : {false, true}) {
        const auto made = makeWindow(random, files, {20'011, averageRun, isInterleaved, hasFallback});
        const auto window = std::make_shared<const Window>(made.window);
        EXPECT(made.window.length == static_cast<int64_t>(made.bytes.size()));
        for (int turn = 0; turn < 300; turn++) {
          const size_t skip = below(random, made.bytes.size());
          const size_t most = turn % 3 == 0 ? 50 : made.bytes.size();
          const size_t length = 1 + below(random, std::min(made.bytes.size() - skip, most));
          std::vector<char> into(length, 'x');
          const bool isRead = readPart(window, skip, into);
          EXPECT(isRead != touchesFallback(made.window, skip, length));
          EXPECT(!isRead || std::memcmp(into.data(), made.bytes.data() + skip, length) == 0);
          (isRead ? read : refused)++;
        }
      }
    }
  }
  EXPECT(read > 1000 && refused > 200);
}

// Pieces that are adjacent in a file, but scattered in memory; more of them than one system call takes.
void adjacentPiecesAreReadWhole(Random& random) {
  const auto files = makeFiles(random, 2, 100'003);
  for (const size_t count : {1u, 2u, 3u, 255u, 256u, 257u, 513u, 2000u}) {
    std::vector<char> into(count * 40, 'x'), model = into;
    std::vector<Piece> pieces;
    std::vector<size_t> places(count);
    for (size_t index = 0; index < count; index++) places[index] = index * 40;
    std::shuffle(places.begin(), places.end(), random);
    size_t next[2] = {7, 11};
    for (const size_t place : places) {
      const size_t which = count > 2 ? below(random, 2) : 0;
      const size_t length = 1 + below(random, 40);
      pieces.push_back({files[which].fd, static_cast<int64_t>(next[which]), into.data() + place, length});
      std::memcpy(model.data() + place, files[which].bytes.data() + next[which], length);
      next[which] += length;
    }
    if (count > 2) std::shuffle(pieces.begin(), pieces.end(), random);
    EXPECT(vdisk::readPieces(pieces));
    EXPECT(into == model);
  }
}

// The same bytes twice, overlapping ones, and no pieces at all.
void piecesMayOverlap(Random& random) {
  const auto files = makeFiles(random, 1, 1000);
  std::vector<char> into(400);
  const int fd = files[0].fd;
  std::vector<Piece> pieces{
      {fd, 100, &into[300], 100}, {fd, 100, &into[0], 100}, {fd, 150, &into[100], 100}, {fd, 200, &into[200], 100}};
  EXPECT(vdisk::readPieces(pieces));
  const char* const bytes = files[0].bytes.data();
  EXPECT(std::memcmp(&into[300], bytes + 100, 100) == 0 && std::memcmp(&into[0], bytes + 100, 100) == 0);
  EXPECT(std::memcmp(&into[100], bytes + 150, 100) == 0 && std::memcmp(&into[200], bytes + 200, 100) == 0);
  std::vector<Piece> none;
  EXPECT(vdisk::readPieces(none));
}

// A file that ends too early, at any place, and an invalid descriptor.
void errorsAreReported(Random& random) {
  const auto files = makeFiles(random, 2, 1000);
  std::vector<char> into(600);
  for (const int64_t past : {1, 100, 250, 1000, 1 << 30}) {
    std::vector<Piece> pieces{{files[0].fd, 0, &into[0], 100},
                              {files[1].fd, 750 + past - 100, &into[100], 100},
                              {files[1].fd, 750 + past, &into[200], 250}};
    EXPECT(!vdisk::readPieces(pieces));
  }
  std::vector<Piece> wrong{{1 << 20, 0, &into[0], 1}};
  EXPECT(!vdisk::readPieces(wrong));
}

}  // namespace

void pieces(Random& random) {
  windowsReadAsTheModel(random);
  adjacentPiecesAreReadWhole(random);
  piecesMayOverlap(random);
  errorsAreReported(random);
}
