// Stands for the kernel's side of /dev/fuse. Each connection is a socket that preserves the boundaries of messages, so that
// one read returns one request and one write sends one reply. Only one thread at a time may use a connection.
//
// A message of such a socket needs contiguous memory, which is often not available for more than 80 KB. Tests with larger
// replies use stream sockets, and make one request at a time.
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
  explicit Kernel(size_t connections, int type = SOCK_SEQPACKET);
  ~Kernel();
  // The other ends, for a Device to own.
  const std::vector<int>& descriptors() const { return theirs_; }

  // Sends a request. Returns its number.
  uint64_t send(size_t connection, uint32_t opcode, uint64_t node, const void* body, size_t length);
  uint64_t read(size_t connection, uint64_t node, uint64_t offset, uint32_t size);
  uint64_t list(size_t connection, uint32_t opcode, uint64_t node, uint64_t offset, uint32_t size);
  // Waits for the next reply on a connection.
  Reply receive(size_t connection);
  // Whether no reply has arrived.
  bool isSilent(size_t connection) const;
  // The mount has ended.
  void close();

 private:
  std::vector<int> ours_, theirs_;
  std::vector<uint64_t> sent_;
};

// A reply with its header.
std::vector<char> sealed(uint64_t unique, const char* body, size_t length);
