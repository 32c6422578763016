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

constexpr size_t kRequestSize = 64 << 10;  // a header, and a name or two; the kernel insists on 8 KiB
constexpr size_t kRunLimit = 500'000;      // about 16 MB
constexpr size_t kOfferLimit = 8 << 20;    // bytes
constexpr size_t kPage = 4096;
constexpr std::chrono::milliseconds kStopInterval{1};
constexpr size_t kLongRow = 64 << 10;      // bytes from which on a pipe is faster than a copy

// Interrupts a thread that waits for the kernel. Its handler does nothing: the system call fails with EINTR.
int stopSignal() { return SIGRTMIN + 5; }

// Once for the process, and only where a device is stopped before its mount has ended. It stays: another device may be
// about to send the signal.
void handleStopSignal() {
  static const bool isHandled = [] {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // without SA_RESTART
    return sigaction(stopSignal(), &action, nullptr) == 0;
  }();
  (void)isHandled;
}

size_t shareOf(size_t limit, double share) { return static_cast<size_t>(static_cast<double>(limit) * share); }

CacheKey offerKey(uint32_t opcode, uint64_t node, uint64_t offset) {
  return {node, offset ^ static_cast<uint64_t>(opcode) << 56};
}

}  // namespace

struct Device::Lane {  // used by its own thread alone, except `fd`
  Lane(size_t index, int fd) : index(index), fd(fd) {}
  ~Lane() { close(fd); }

  const size_t index;
  const int fd;  // owned
  std::thread thread;
};

// What it takes to answer a request.
struct Device::Desk {
  Reading reading;
  Pipe pipe;

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  const std::unique_ptr<char, Free> memory_{static_cast<char*>(std::aligned_alloc(kPage, kPage + kMaxRead))};

 public:
  // A header, and behind it what is read: that begins with a page, since the kernel copies to one faster.
  char* const reply = memory_.get() + kPage - sizeof(fuse_out_header);
};

// A desk in use.
class Device::Seat {
 public:
  explicit Seat(Device& device) : device_(device) {
    const std::lock_guard lock(device.desksMutex_);
    desk_ = std::move(device.desks_.back());
    device.desks_.pop_back();
  }
  ~Seat() {
    const std::lock_guard lock(device_.desksMutex_);
    device_.desks_.push_back(std::move(desk_));
  }
  Seat(const Seat&) = delete;

  Desk* operator->() const { return desk_.get(); }

 private:
  Device& device_;
  std::unique_ptr<Desk> desk_;
};

Device::Device(std::vector<int> descriptors, int64_t windowSize, void (*wake)(void*), void* context,
               double memoryShare)
    : windows_(shareOf(kRunLimit, memoryShare)), offers_(shareOf(kOfferLimit, memoryShare)), windowSize_(windowSize), wake_(wake), context_(context), running_(descriptors.size()) {
  for (const int fd : descriptors) {
    lanes_.push_back(std::make_unique<Lane>(lanes_.size(), fd));
    desks_.push_back(std::make_unique<Desk>());
  }
  // Signals are for the main thread, but for our own.
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, stopSignal());
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (const auto& lane : lanes_) lane->thread = std::thread([this, &lane = *lane] { serve(lane); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Device::~Device() {
  for (const auto& lane : lanes_)
    if (lane->thread.joinable()) lane->thread.join();
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

int Device::reply(size_t lane, const void* bytes, size_t length) {
  return write(lanes_[lane]->fd, bytes, length) < 0 ? errno : 0;
}

void Device::stop() {
  {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
  }
  handleStopSignal();
  isStopped_ = true;
  // A signal that comes just before a thread begins to wait is lost, so it is sent again.
  while (running_ > 0) {
    for (const auto& lane : lanes_) pthread_kill(lane->thread.native_handle(), stopSignal());
    std::this_thread::sleep_for(kStopInterval);
  }
}

void Device::wake() {
  const std::lock_guard lock(mutex_);
  if (wake_ != nullptr) wake_(context_);
}

void Device::serve(Lane& lane) {
  const std::unique_ptr<char[]> bytes(new char[kRequestSize]);
  while (!isStopped_) {
    const ssize_t length = read(lane.fd, bytes.get(), kRequestSize);
    // ENOENT: the request was taken back while we took it.
    if (length < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN)) continue;
    if (length < static_cast<ssize_t>(sizeof(fuse_in_header))) {
      // ECONNABORTED: the mount ended just as a request was being taken (fuse_dev_do_read in Linux' fs/fuse/dev.c).
      if (length < 0 && errno != ENODEV && errno != ECONNABORTED) error_ = errno;
      break;
    }
    const auto& header = *reinterpret_cast<const fuse_in_header*>(bytes.get());
    if (answer(lane, header, bytes.get() + sizeof header)) continue;
    queue({lane.index, false, std::vector<char>(bytes.get(), bytes.get() + length)});
  }
  running_--;
  wake();
}

void Device::queue(Request request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
  if (requests_.size() == 1 && wake_ != nullptr) wake_(context_);
}

// Whether no more is to be done about a request.
bool Device::answer(Lane& lane, const fuse_in_header& header, const char* body) {
  switch (header.opcode) {
    case FUSE_READ:
      return answerRead(lane, header, body);
    // Nothing is remembered about a node, or about what is open.
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR: {
      char nothing[sizeof(fuse_out_header)];
      send(lane.fd, header, nothing, 0);
      return true;
    }
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
      return true;
    // The request may be one that TypeScript works on. Those that are answered here take no longer than the host's disk.
    case FUSE_INTERRUPT:
      tell(lane, header);
      return true;
    case FUSE_OPEN:
      // Whoever wants to write hears from TypeScript that he may not.
      return (reinterpret_cast<const fuse_open_in*>(body)->flags & O_ACCMODE) == O_RDONLY &&
             answerOffered(lane, header, 0, SIZE_MAX);
    case FUSE_READLINK:
      return answerOffered(lane, header, 0, SIZE_MAX);
    case FUSE_READDIR:
    case FUSE_READDIRPLUS: {
      const auto* wanted = reinterpret_cast<const fuse_read_in*>(body);
      return answerOffered(lane, header, wanted->offset, wanted->size);
    }
    default:
      return false;
  }
}

bool Device::answerOffered(Lane& lane, const fuse_in_header& header, uint64_t offset, size_t room) {
  const auto offered = offers_.take(offerKey(header.opcode, header.nodeid, offset));
  if (offered == nullptr || offered->size() - sizeof(fuse_out_header) > room) return false;
  const size_t length = offered->size() - sizeof(fuse_out_header);
  {
    const Seat desk(*this);
    std::memcpy(desk->reply, offered->data(), offered->size());
    send(lane.fd, header, desk->reply, length);
  }
  // TypeScript goes on from here; a link, or the end of a listing, leads nowhere.
  if (header.opcode != FUSE_READLINK && length > 0) tell(lane, header);
  return true;
}

// TypeScript is to know that a request has been answered.
void Device::tell(const Lane& lane, const fuse_in_header& header) {
  const auto* bytes = reinterpret_cast<const char*>(&header);
  queue({lane.index, true, std::vector<char>(bytes, bytes + header.len)});
}

void Device::offer(uint32_t opcode, uint64_t node, uint64_t offset, std::vector<char> reply) {
  const size_t cost = reply.size() + 100;
  offers_.put(offerKey(opcode, node, offset), std::make_shared<const std::vector<char>>(std::move(reply)), cost);
}

bool Device::answerRead(Lane& lane, const fuse_in_header& header, const char* body) {
  const auto& wanted = *reinterpret_cast<const fuse_read_in*>(body);
  if (wanted.size > kMaxRead || wanted.offset > INT64_MAX - kMaxRead) return false;
  const Seat desk(*this);
  char* const into = desk->reply + sizeof(fuse_out_header);
  desk->reading.clear();
  bool isFirst = false;
  size_t done = 0;
  while (done < wanted.size) {
    const int64_t at = static_cast<int64_t>(wanted.offset + done);
    const int64_t skip = at % windowSize_;
    const auto window = windows_.find({header.nodeid, static_cast<uint64_t>(at / windowSize_)});
    if (window == nullptr) return false;
    if (skip >= window->length) break;  // the source ends here
    const size_t part = std::min(wanted.size - done, static_cast<size_t>(window->length - skip));
    if (!desk->reading.plan(window, skip, part, into + done)) return false;
    isFirst |= window->use.isFirst();
    done += part;
    if (window->length < windowSize_) break;
  }
  const Piece* const row = done < kLongRow ? nullptr : desk->reading.row(done);
  if (row == nullptr || !desk->pipe.answer(lane.fd, header.unique, *row)) {
    if (!desk->reading.finish()) return false;
    send(lane.fd, header, desk->reply, done);
  }
  if (isFirst) tell(lane, header);
  return true;
}

// Completes `reply`, which has `length` bytes behind the room for its header, and writes it.
void Device::send(int fd, const fuse_in_header& header, char* reply, size_t length) {
  const fuse_out_header out{static_cast<uint32_t>(sizeof out + length), 0, header.unique};
  std::memcpy(reply, &out, sizeof out);
  // ENOENT: nobody waits for it any more. ENODEV: the mount has ended; the next read says so.
  if (write(fd, reply, out.len) >= 0 || errno == ENOENT || errno == ENODEV) return;
  const fuse_out_header failed{sizeof failed, -EIO, header.unique};
  (void)!write(fd, &failed, sizeof failed);
}

}  // namespace vdisk
