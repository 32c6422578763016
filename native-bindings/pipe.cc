#include "pipe.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/fuse.h>
#include <unistd.h>

namespace vdisk {

namespace {

// As many places as it has pages: a reply of 512 KiB, the largest (src/fuse/protocol/init.ts), takes 129, as it need
// not begin with a page, and one for its header. It is also the most that an ordinary user may have (pipe-max-size in
// proc_sys_fs(5)).
constexpr int kPipeSize = 1 << 20;

}  // namespace

bool Pipe::answer(int device, uint64_t unique, const Piece& row) {
  if (!isOfUse_) return false;
  // Where the host's limits or the file do not allow it, they will not the next time; reading does not depend on it.
  isOfUse_ = false;
  if (make() && fill(unique, row)) {
    // In one call: the kernel takes a reply whole. Without SPLICE_F_MOVE, which would take the pages out
    // of the host's cache of the image.
    if (splice(ends_[0], nullptr, device, nullptr, sizeof(fuse_out_header) + row.length, 0) >= 0) return isOfUse_ = true;
    isOfUse_ = errno == ENOENT || errno == ENODEV;  // as in Device::send
  }
  // What may be left in the pipe must not get into the next reply.
  drop();
  return isOfUse_;
}

bool Pipe::make() {
  if (ends_[0] >= 0) return true;
  return pipe2(ends_, O_CLOEXEC | O_NONBLOCK) == 0 && fcntl(ends_[1], F_SETPIPE_SZ, kPipeSize) >= 0;
}

bool Pipe::fill(uint64_t unique, const Piece& row) {
  const fuse_out_header out{static_cast<uint32_t>(sizeof out + row.length), 0, unique};
  if (write(ends_[1], &out, sizeof out) != sizeof out) return false;
  off64_t offset = row.offset;
  for (size_t left = row.length; left > 0;) {
    const ssize_t count = splice(row.fd, &offset, ends_[1], nullptr, left, 0);
    if (count <= 0) return false;
    left -= static_cast<size_t>(count);
  }
  return true;
}

void Pipe::drop() {
  for (int& end : ends_) {
    if (end >= 0) close(end);
    end = -1;
  }
}

}  // namespace vdisk
