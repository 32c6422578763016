#include "extents.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/uio.h>

namespace vdisk {

bool plan(const Window& window, int64_t skip, size_t length, char* into, std::vector<Piece>& pieces) {
  size_t index = std::upper_bound(window.starts.begin(), window.starts.end(), skip) - window.starts.begin() - 1;
  for (size_t done = 0; done < length; index++) {
    const Run& run = window.runs[index];
    const int64_t within = skip + static_cast<int64_t>(done) - window.starts[index];
    const size_t part = std::min(length - done, static_cast<size_t>(run.length - within));
    switch (run.fd) {
      case kElsewhere:
        return false;
      case kZero:
        std::memset(into + done, 0, part);
        break;
      case kInline:
        std::memcpy(into + done, window.bytes.data() + run.offset + within, part);
        break;
      default:
        pieces.push_back({run.fd, run.offset + within, into + done, part});
    }
    done += part;
  }
  return true;
}

namespace {

constexpr size_t kMaxParts = 256;  // of one preadv, well below IOV_MAX

// Fills the pieces [first, last), which follow one another in one file.
bool readRow(const Piece* first, const Piece* last) {
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
  // Layers that lie interleaved come apart again: of each file, what is wanted is often one row.
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
    if (!readRow(first, last)) return false;
    first = last;
  }
  return true;
}

}  // namespace vdisk
