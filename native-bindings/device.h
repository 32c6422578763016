// Threads that serve /dev/fuse. They answer the requests for which they have mapped windows or prefetched replies; all
// others wait in a queue for TypeScript. Does not use Node-API.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "cache.h"
#include "extents.h"

struct fuse_in_header;

namespace vdisk {

// A request that TypeScript has to answer, or only has to know of. It needs no reply (`isNotification`) if a prefetched
// reply has answered it, if it was the first read of a window with `notifyFirstRead`, or if it is an INTERRUPT. A reply
// goes to the connection of its request, because the kernel keeps a list of requests for each descriptor.
struct Request {
  size_t connection;
  bool isNotification;
  std::vector<char> bytes;
};

class Device {
 public:
  // Serves each of `descriptors`, which it owns from now on, with one thread. Any thread calls `wake(context)` when
  // requests wait. `memoryShare` scales the sizes of the caches.
  Device(std::vector<int> descriptors, int64_t windowSize, void (*wake)(void*), void* context, double memoryShare = 1);
  Device(const Device&) = delete;
  // Waits for the threads. Allowed once `ended` has returned true, or after `stop`.
  ~Device();

  // Takes the next request from the queue. Returns false if it is empty.
  bool take(Request& request);
  // Returns true once all threads have ended. `error`: the errno, or 0 after an unmount.
  bool ended(int& error) const;
  // Sends a reply with its header. Returns 0 or an errno.
  int reply(size_t connection, const void* bytes, size_t length);

  // Lets the threads answer READ of `node` from `index` * windowSize on.
  void putWindow(uint64_t node, uint64_t index, std::shared_ptr<const Window> window) {
    const size_t cost = window->cost();
    windows_.put({node, index}, std::move(window), cost);
  }

  // Lets the threads answer the next request `opcode` for `node` (and for a listing: for `offset`) with `reply`, which
  // begins with space for its header.
  void putReply(uint32_t opcode, uint64_t node, uint64_t offset, std::vector<char> reply);

  // Removes all windows and replies. Requests that threads are answering at this moment may still use them.
  void clear() {
    windows_.clear();
    replies_.clear();
  }

  // Returns another descriptor of the FUSE connection, which the caller closes; or -1 with errno.
  int duplicate() const;

  // Ends the threads, even if the mount still exists, and returns when they have ended. `wake` is not called after that.
  // The kernel ends the FUSE connection when the device is destroyed.
  void stop();

 private:
  struct Connection;
  struct Buffers;
  class Lease;
  void serve(Connection& connection);
  bool answer(Connection& connection, const fuse_in_header& header, const char* body);
  bool answerRead(Connection& connection, const fuse_in_header& header, const char* body);
  bool answerPrefetched(Connection& connection, const fuse_in_header& header, uint64_t offset, size_t maxSize);
  void queue(Request request);
  void notify(const Connection& connection, const fuse_in_header& header);
  void send(int fd, const fuse_in_header& header, char* reply, size_t length);
  void wake();

  Cache<Window> windows_;
  Cache<std::vector<char>> replies_;  // prefetched
  const int64_t windowSize_;

  std::mutex mutex_;
  std::deque<Request> requests_;
  void (*wake_)(void*);
  void* context_;

  // Those that are not leased, of one for each connection. Taken last in, first out: a processor's cache still holds the
  // memory that was used last.
  std::vector<std::unique_ptr<Buffers>> freeBuffers_;
  std::mutex buffersMutex_;

  std::vector<std::unique_ptr<Connection>> connections_;
  std::atomic<size_t> running_;
  std::atomic<bool> isStopped_{false};
  std::atomic<int> error_{0};
};

}  // namespace vdisk
