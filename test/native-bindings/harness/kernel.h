// The kernel's side of /dev/fuse: sockets that keep messages apart, so that a read gives one request and a write is
// one reply. One socket a lane; a lane is used by one thread at a time.
//
// A message takes one piece of the host's memory. Above 80 KB that is often not to be had: replies of that size
// need sockets that are streams, and one request at a time.
#pragma once

#include <linux/fuse.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <vector>

struct Reply {
  uint64_t unique;
  int error;  // positive
  std::vector<char> body;
};

class Kernel {
 public:
  explicit Kernel(size_t lanes, int type = SOCK_SEQPACKET);
  ~Kernel();
  // The other ends, for a Device to own.
  const std::vector<int>& descriptors() const { return theirs_; }

  // Sends a request; its number.
  uint64_t send(size_t lane, uint32_t opcode, uint64_t node, const void* body, size_t length);
  uint64_t read(size_t lane, uint64_t node, uint64_t offset, uint32_t size);
  uint64_t list(size_t lane, uint32_t opcode, uint64_t node, uint64_t offset, uint32_t size);
  uint64_t open(size_t lane, uint64_t node, uint32_t flags);
  // The next reply on a lane, waited for.
  Reply receive(size_t lane);
  // Whether no reply is there now.
  bool isSilent(size_t lane) const;
  // The mount has ended.
  void close();

 private:
  std::vector<int> ours_, theirs_;
  std::vector<uint64_t> sent_;
};

// A reply with the room for its header.
std::vector<char> sealed(uint64_t unique, const char* body, size_t length);
