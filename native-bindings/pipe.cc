#include "pipe.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/fuse.h>
#include <unistd.h>

namespace vdisk {

namespace {

// A pipe of this size has 256 slots of one page. The largest reply, 512 KiB (src/fuse/protocol/init.ts), needs 129, as it
// may begin inside a page, and one for its header. Ordinary users may not have larger pipes (pipe-max-size in
// proc_sys_fs(5)).
constexpr int kPipeSize = 1 << 20;

}  // namespace

bool Pipe::answer(int device, uint64_t unique, const Piece& piece) {
  if (!isUsable_) return false;
  // After a failure this pipe is not tried again: the host's limits or the kind of file will not have changed.
  isUsable_ = false;
  if (create() && fill(unique, piece)) {
    // In one call, as the kernel accepts only a whole reply. Without SPLICE_F_MOVE, which would remove the pages from the
    // host's page cache.
    const size_t length = sizeof(fuse_out_header) + piece.length;
    if (splice(ends_[0], nullptr, device, nullptr, length, 0) >= 0) return isUsable_ = true;
    isUsable_ = errno == ENOENT || errno == ENODEV;  // as in Device::send
  }
  // Bytes that are left in the pipe must not get into the next reply.
  close();
  return isUsable_;
}

bool Pipe::create() {
  if (ends_[0] >= 0) return true;
  return pipe2(ends_, O_CLOEXEC | O_NONBLOCK) == 0 && fcntl(ends_[1], F_SETPIPE_SZ, kPipeSize) >= 0;
}

bool Pipe::fill(uint64_t unique, const Piece& piece) {
  const fuse_out_header out{static_cast<uint32_t>(sizeof out + piece.length), 0, unique};
  if (write(ends_[1], &out, sizeof out) != sizeof out) return false;
  off64_t offset = piece.offset;
  for (size_t left = piece.length; left > 0;) {
    const ssize_t count = splice(piece.fd, &offset, ends_[1], nullptr, left, 0);
    if (count <= 0) return false;
    left -= static_cast<size_t>(count);
  }
  return true;
}

void Pipe::close() {
  for (int& end : ends_) {
    if (end >= 0) ::close(end);
    end = -1;
  }
}

}  // namespace vdisk
