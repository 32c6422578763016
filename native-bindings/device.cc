#include "device.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/fuse.h>
#include <unistd.h>

#include "pipe.h"

namespace vdisk {

namespace {

constexpr size_t kRequestSize = 64 << 10;  // a header and up to two names; the kernel requires at least 8 KiB
constexpr size_t kRunLimit = 500'000;      // of all windows together: about 16 MB
constexpr size_t kReplyLimit = 8 << 20;    // bytes of all prefetched replies together
constexpr size_t kReplyOverhead = 100;     // bytes that an entry of the cache takes besides its reply
constexpr size_t kPage = 4096;
constexpr std::chrono::milliseconds kStopInterval{1};
constexpr size_t kSpliceSize = 64 << 10;   // bytes from which on a pipe is faster than a copy

// Interrupts a thread that waits in read(2), which then fails with EINTR. The handler does nothing.
int stopSignal() { return SIGRTMIN + 5; }

// Installs the handler, once for the process and only if a device is stopped before its mount has ended. The handler is
// never removed: another device may be about to send the signal.
void handleStopSignal() {
  static const bool isHandled = [] {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // without SA_RESTART
    return sigaction(stopSignal(), &action, nullptr) == 0;
  }();
  (void)isHandled;
}

size_t shareOf(size_t limit, double share) { return static_cast<size_t>(static_cast<double>(limit) * share); }

CacheKey replyKey(uint32_t opcode, uint64_t node, uint64_t offset) {
  return {node, offset ^ static_cast<uint64_t>(opcode) << 56};
}

}  // namespace

// One descriptor of the FUSE connection, and the thread that reads from it. Other threads use only `fd`, to reply.
struct Device::Connection {
  Connection(size_t index, int fd) : index(index), fd(fd) {}
  ~Connection() { close(fd); }

  const size_t index;
  const int fd;  // owned
  std::thread thread;
};

// The memory and the pipe that a thread needs to answer one request.
struct Device::Buffers {
  Reading reading;
  Pipe pipe;

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  const std::unique_ptr<char, Free> memory_{static_cast<char*>(std::aligned_alloc(kPage, kPage + kMaxRead))};

 public:
  // A header, then the body. The body begins at the start of a page, because the kernel copies faster from there.
  char* const reply = memory_.get() + kPage - sizeof(fuse_out_header);
};

// Buffers while one thread uses them. There are as many as threads, so that they never run out.
class Device::Lease {
 public:
  explicit Lease(Device& device) : device_(device) {
    const std::lock_guard lock(device.buffersMutex_);
    buffers_ = std::move(device.freeBuffers_.back());
    device.freeBuffers_.pop_back();
  }
  ~Lease() {
    const std::lock_guard lock(device_.buffersMutex_);
    device_.freeBuffers_.push_back(std::move(buffers_));
  }
  Lease(const Lease&) = delete;

  Buffers* operator->() const { return buffers_.get(); }

 private:
  Device& device_;
  std::unique_ptr<Buffers> buffers_;
};

Device::Device(std::vector<int> descriptors, int64_t windowSize, void (*wake)(void*), void* context,
               double memoryShare)
    : windows_(shareOf(kRunLimit, memoryShare)),
      replies_(shareOf(kReplyLimit, memoryShare)),
      windowSize_(windowSize),
      wake_(wake),
      context_(context),
      running_(descriptors.size()) {
  for (const int fd : descriptors) {
    connections_.push_back(std::make_unique<Connection>(connections_.size(), fd));
    freeBuffers_.push_back(std::make_unique<Buffers>());
  }
  // The threads block all signals except the one that stops them: Node handles the others on its main thread.
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, stopSignal());
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (const auto& connection : connections_)
    connection->thread = std::thread([this, &connection = *connection] { serve(connection); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Device::~Device() {
  for (const auto& connection : connections_)
    if (connection->thread.joinable()) connection->thread.join();
}

bool Device::take(Request& request) {
  const std::lock_guard lock(mutex_);
  if (requests_.empty()) return false;
  request = std::move(requests_.front());
  requests_.pop_front();
  return true;
}

bool Device::ended(int& error) const {
  error = error_;
  return running_ == 0;
}

int Device::reply(size_t connection, const void* bytes, size_t length) {
  return write(connections_[connection]->fd, bytes, length) < 0 ? errno : 0;
}

int Device::duplicate() const { return fcntl(connections_[0]->fd, F_DUPFD_CLOEXEC, 0); }

void Device::stop() {
  {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
  }
  handleStopSignal();
  isStopped_ = true;
  // A signal that arrives just before a thread enters read(2) has no effect, so it is sent again.
  while (running_ > 0) {
    for (const auto& connection : connections_) pthread_kill(connection->thread.native_handle(), stopSignal());
    std::this_thread::sleep_for(kStopInterval);
  }
}

void Device::wake() {
  const std::lock_guard lock(mutex_);
  if (wake_ != nullptr) wake_(context_);
}

void Device::serve(Connection& connection) {
  const std::unique_ptr<char[]> bytes(new char[kRequestSize]);
  while (!isStopped_) {
    const ssize_t length = read(connection.fd, bytes.get(), kRequestSize);
    // ENOENT: the request was interrupted and withdrawn while it was being read.
    if (length < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN)) continue;
    if (length < static_cast<ssize_t>(sizeof(fuse_in_header))) {
      // ECONNABORTED: the mount ended while a request was being read (Linux fs/fuse/dev.c, fuse_dev_do_read).
      if (length < 0 && errno != ENODEV && errno != ECONNABORTED) error_ = errno;
      break;
    }
    const auto& header = *reinterpret_cast<const fuse_in_header*>(bytes.get());
    if (answer(connection, header, bytes.get() + sizeof header)) continue;
    queue({connection.index, false, std::vector<char>(bytes.get(), bytes.get() + length)});
  }
  running_--;
  wake();
}

void Device::queue(Request request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
  if (requests_.size() == 1 && wake_ != nullptr) wake_(context_);
}

// Returns true if the request needs no reply from TypeScript.
bool Device::answer(Connection& connection, const fuse_in_header& header, const char* body) {
  switch (header.opcode) {
    case FUSE_READ:
      return answerRead(connection, header, body);
    // There is no state for a node or an open file that would have to be freed.
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR: {
      char empty[sizeof(fuse_out_header)];
      send(connection.fd, header, empty, 0);
      return true;
    }
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
      return true;
    // The interrupted request may be one that TypeScript works on. Requests that the threads answer take no longer than a
    // read of the host's disk, and are not interrupted.
    case FUSE_INTERRUPT:
      notify(connection, header);
      return true;
    case FUSE_READLINK:
      return answerPrefetched(connection, header, 0, SIZE_MAX);
    case FUSE_READDIR:
    case FUSE_READDIRPLUS: {
      const auto* wanted = reinterpret_cast<const fuse_read_in*>(body);
      return answerPrefetched(connection, header, wanted->offset, wanted->size);
    }
    default:
      return false;
  }
}

bool Device::answerPrefetched(Connection& connection, const fuse_in_header& header, uint64_t offset, size_t maxSize) {
  const auto reply = replies_.take(replyKey(header.opcode, header.nodeid, offset));
  if (reply == nullptr || reply->size() - sizeof(fuse_out_header) > maxSize) return false;
  const size_t length = reply->size() - sizeof(fuse_out_header);
  {
    const Lease buffers(*this);
    std::memcpy(buffers->reply, reply->data(), reply->size());
    send(connection.fd, header, buffers->reply, length);
  }
  // TypeScript prefetches what follows. Nothing follows a link or the end of a listing.
  if (header.opcode != FUSE_READLINK && length > 0) notify(connection, header);
  return true;
}

// Queues a request that needs no reply.
void Device::notify(const Connection& connection, const fuse_in_header& header) {
  const auto* bytes = reinterpret_cast<const char*>(&header);
  queue({connection.index, true, std::vector<char>(bytes, bytes + header.len)});
}

void Device::putReply(uint32_t opcode, uint64_t node, uint64_t offset, std::vector<char> reply) {
  const size_t cost = reply.size() + kReplyOverhead;
  replies_.put(replyKey(opcode, node, offset), std::make_shared<const std::vector<char>>(std::move(reply)), cost);
}

bool Device::answerRead(Connection& connection, const fuse_in_header& header, const char* body) {
  const auto& wanted = *reinterpret_cast<const fuse_read_in*>(body);
  if (wanted.size > kMaxRead || wanted.offset > INT64_MAX - kMaxRead) return false;
  const Lease buffers(*this);
  char* const into = buffers->reply + sizeof(fuse_out_header);
  buffers->reading.clear();
  bool isNotified = false;
  size_t done = 0;
  while (done < wanted.size) {
    const int64_t at = static_cast<int64_t>(wanted.offset + done);
    const int64_t skip = at % windowSize_;
    const auto window = windows_.find({header.nodeid, static_cast<uint64_t>(at / windowSize_)});
    if (window == nullptr) return false;
    if (skip >= window->length) break;  // the source ends here
    const size_t part = std::min(wanted.size - done, static_cast<size_t>(window->length - skip));
    if (!buffers->reading.plan(window, skip, part, into + done)) return false;
    isNotified |= window->notifyFirstRead.take();
    done += part;
    if (window->length < windowSize_) break;
  }
  const Piece* const single = done < kSpliceSize ? nullptr : buffers->reading.singlePiece(done);
  if (single == nullptr || !buffers->pipe.answer(connection.fd, header.unique, *single)) {
    if (!buffers->reading.finish()) return false;
    send(connection.fd, header, buffers->reply, done);
  }
  if (isNotified) notify(connection, header);
  return true;
}

// Writes the header in front of the `length` bytes of the body, and sends both.
void Device::send(int fd, const fuse_in_header& header, char* reply, size_t length) {
  const fuse_out_header out{static_cast<uint32_t>(sizeof out + length), 0, header.unique};
  std::memcpy(reply, &out, sizeof out);
  // ENOENT: the request was interrupted. ENODEV: the mount has ended, and the next read of the descriptor fails.
  if (write(fd, reply, out.len) >= 0 || errno == ENOENT || errno == ENODEV) return;
  const fuse_out_header failed{sizeof failed, -EIO, header.unique};
  (void)!write(fd, &failed, sizeof failed);
}

}  // namespace vdisk
