#include "extents.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/uio.h>

namespace vdisk {

namespace {

constexpr size_t kMaxParts = 256;  // of one preadv, well below IOV_MAX

// Reads the pieces [first, last), which are adjacent in one file.
bool readAdjacent(const Piece* first, const Piece* last) {
  iovec parts[kMaxParts];
  size_t count = 0;
  for (const Piece* piece = first; piece < last; piece++) parts[count++] = {piece->into, piece->length};
  int64_t offset = first->offset;
  for (iovec* part = parts; count > 0;) {
    const ssize_t read = preadv(first->fd, part, static_cast<int>(count), offset);
    if (read < 0 && errno == EINTR) continue;
    if (read <= 0) return false;
    offset += read;
    size_t left = static_cast<size_t>(read);
    while (count > 0 && left >= part->iov_len) {
      left -= part->iov_len;
      part++;
      count--;
    }
    if (count > 0) {
      part->iov_base = static_cast<char*>(part->iov_base) + left;
      part->iov_len -= left;
    }
  }
  return true;
}

}  // namespace

bool readPieces(std::vector<Piece>& pieces) {
  // Pieces of several layers alternate. In the order of the files and offsets, those of each layer are often adjacent.
  if (pieces.size() > 2) {
    std::sort(pieces.begin(), pieces.end(), [](const Piece& one, const Piece& other) {
      return one.fd != other.fd ? one.fd < other.fd : one.offset < other.offset;
    });
  }
  const Piece* const end = pieces.data() + pieces.size();
  for (const Piece* first = pieces.data(); first < end;) {
    const Piece* last = first + 1;
    while (last < end && last - first < static_cast<ptrdiff_t>(kMaxParts) && last->fd == first->fd &&
           last->offset == (last - 1)->offset + static_cast<int64_t>((last - 1)->length)) {
      last++;
    }
    if (!readAdjacent(first, last)) return false;
    first = last;
  }
  return true;
}

void Reading::clear() {
  pieces_.clear();
  units_.clear();
  windows_.clear();
  used_ = 0;
}

bool Reading::plan(const std::shared_ptr<const Window>& window, int64_t skip, size_t length, char* into) {
  const auto& starts = window->starts;
  size_t index = std::upper_bound(starts.begin(), starts.end(), skip) - starts.begin() - 1;
  if (!window->units.empty()) windows_.push_back(window);
  for (size_t done = 0; done < length; index++) {
    const Run& run = window->runs[index];
    const int64_t within = skip + static_cast<int64_t>(done) - starts[index];
    const size_t part = std::min(length - done, static_cast<size_t>(run.length - within));
    switch (run.fd) {
      case kFallback:
        return false;
      case kZero:
        std::memset(into + done, 0, part);
        break;
      case kInline:
        std::memcpy(into + done, window->bytes.data() + run.offset + within, part);
        break;
      case kPacked:
        // A program that reads a part of a unit will read the other parts too: TypeScript caches what it unpacks.
        if (part < static_cast<size_t>(run.length) || !planUnit(window->units[run.offset], into + done)) return false;
        break;
      default:
        planPiece({run.fd, run.offset + within, into + done, part});
    }
    done += part;
  }
  return true;
}

void Reading::planPiece(const Piece& piece) {
  if (!pieces_.empty()) {
    Piece& last = pieces_.back();
    const auto length = static_cast<int64_t>(last.length);
    if (last.fd == piece.fd && last.offset + length == piece.offset && last.into + length == piece.into) {
      last.length += piece.length;
      return;
    }
  }
  pieces_.push_back(piece);
}

bool Reading::planUnit(const Unit& unit, char* into) {
  if (unit.packed > kMaxRead - used_) return false;
  if (packedBytes_ == nullptr) packedBytes_.reset(new char[kMaxRead]);
  char* to = packedBytes_.get() + used_;
  units_.push_back({&unit, to, into});
  for (const Run& part : unit.parts) {
    pieces_.push_back({part.fd, part.offset, to, static_cast<size_t>(part.length)});
    to += part.length;
  }
  used_ += unit.packed;
  return true;
}

bool Reading::finish() {
  if (!readPieces(pieces_)) return false;
  for (const auto& [unit, from, into] : units_)
    for (const Chunk& chunk : unit->chunks)
      if (!unpackChunk(chunk, reinterpret_cast<const uint8_t*>(from), reinterpret_cast<uint8_t*>(into))) return false;
  return true;
}

}  // namespace vdisk
