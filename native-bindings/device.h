// /dev/fuse served by threads. What needs only bytes is answered here; every other request waits in a queue until
// TypeScript takes it. Nothing of Node is used here, so that the sanitizers can look at it.
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

// A request for TypeScript, which it is to answer, or to know of: one that an offer has answered, one that was the first to
// read a window of which that is to be told, or an INTERRUPT, which has no reply. A reply goes back where its request came
// from: the kernel keeps a list for each descriptor.
struct Request {
  size_t lane;
  bool isAnswered;
  std::vector<char> bytes;
};

class Device {
 public:
  // Serves each of `descriptors`, which become the device's own, with a thread. `wake(context)` is called from any
  // of them when there is something to take.
  // Its caches have `memoryShare` of their usual sizes.
  Device(std::vector<int> descriptors, int64_t windowSize, void (*wake)(void*), void* context, double memoryShare = 1);
  Device(const Device&) = delete;
  // Only once `ended` returns true, or after `stop`: it waits for the threads.
  ~Device();

  // The next request; false where there is none now.
  bool take(Request& request);
  // Whether all threads have ended, and with which errno: 0 is an unmount.
  bool ended(int& error) const;
  // Sends a reply with its header. The errno, or 0.
  int reply(size_t lane, const void* bytes, size_t length);

  // Lets the threads answer READ of `node` from `index` x windowSize on.
  void putWindow(uint64_t node, uint64_t index, std::shared_ptr<const Window> window) {
    const size_t cost = window->cost();
    windows_.put({node, index}, std::move(window), cost);
  }

  // Lets the threads answer the next `opcode` about `node` (a listing: from `offset` on) with `reply`, which has room
  // for its header in front.
  void offer(uint32_t opcode, uint64_t node, uint64_t offset, std::vector<char> reply);

  // Nothing is taken any more: `wake` is not called again, and the threads end, whatever they wait for. Returns when they
  // have. Where the mount is still there, the kernel ends the connection once the device is destroyed.
  void stop();

 private:
  struct Lane;
  struct Desk;
  class Seat;
  void serve(Lane& lane);
  bool answer(Lane& lane, const fuse_in_header& header, const char* body);
  bool answerRead(Lane& lane, const fuse_in_header& header, const char* body);
  bool answerOffered(Lane& lane, const fuse_in_header& header, uint64_t offset, size_t room);
  void queue(Request request);
  void tell(const Lane& lane, const fuse_in_header& header);
  void send(int fd, const fuse_in_header& header, char* reply, size_t length);
  void wake();

  Cache<Window> windows_;
  Cache<std::vector<char>> offers_;
  const int64_t windowSize_;

  std::mutex mutex_;
  std::deque<Request> requests_;
  void (*wake_)(void*);
  void* context_;

  // Those that are free, of one for each lane; the one left last is taken first: its memory is still in the caches.
  std::vector<std::unique_ptr<Desk>> desks_;
  std::mutex desksMutex_;

  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<size_t> running_;
  std::atomic<bool> isStopped_{false};
  std::atomic<int> error_{0};
};

}  // namespace vdisk
