#include "kernel.h"

#include <unistd.h>

#include <cstring>

#include "expect.h"

namespace {

constexpr int kSocketSize = 2 << 20;  // bytes that may wait in a socket

}  // namespace

Kernel::Kernel(size_t connections, int type) : sent_(connections) {
  for (size_t connection = 0; connection < connections; connection++) {
    int ends[2];
    EXPECT(socketpair(AF_UNIX, type, 0, ends) == 0);
    for (const int end : ends) {
      // Beyond the limit for ordinary users: the tests run as root.
      EXPECT(setsockopt(end, SOL_SOCKET, SO_SNDBUFFORCE, &kSocketSize, sizeof kSocketSize) == 0);
    }
    ours_.push_back(ends[0]);
    theirs_.push_back(ends[1]);
  }
}

Kernel::~Kernel() { close(); }

void Kernel::close() {
  for (const int end : ours_) ::close(end);
  ours_.clear();
}

uint64_t Kernel::send(size_t connection, uint32_t opcode, uint64_t node, const void* body, size_t length) {
  fuse_in_header header{};
  header.len = static_cast<uint32_t>(sizeof header + length);
  header.opcode = opcode;
  header.unique = sent_[connection]++ << 8 | connection;
  header.nodeid = node;
  std::vector<char> message(header.len);
  std::memcpy(message.data(), &header, sizeof header);
  if (length > 0) std::memcpy(message.data() + sizeof header, body, length);
  EXPECT(::send(ours_[connection], message.data(), message.size(), 0) == static_cast<ssize_t>(message.size()));
  return header.unique;
}

uint64_t Kernel::list(size_t connection, uint32_t opcode, uint64_t node, uint64_t offset, uint32_t size) {
  fuse_read_in body{};
  body.offset = offset;
  body.size = size;
  return send(connection, opcode, node, &body, sizeof body);
}

uint64_t Kernel::read(size_t connection, uint64_t node, uint64_t offset, uint32_t size) {
  return list(connection, FUSE_READ, node, offset, size);
}

Reply Kernel::receive(size_t connection) {
  thread_local std::vector<char> message(kSocketSize);
  ssize_t length = 0;
  fuse_out_header header{};
  do {
    const size_t space = message.size() - static_cast<size_t>(length);
    const ssize_t received = recv(ours_[connection], message.data() + length, space, 0);
    EXPECT(received > 0);
    length += received;
    EXPECT(length >= static_cast<ssize_t>(sizeof header));
    std::memcpy(&header, message.data(), sizeof header);
  } while (length < static_cast<ssize_t>(header.len));
  EXPECT(header.len == length);
  return {header.unique, -header.error, {message.begin() + sizeof header, message.begin() + length}};
}

bool Kernel::isSilent(size_t connection) const {
  char byte;
  return recv(ours_[connection], &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

std::vector<char> sealed(uint64_t unique, const char* body, size_t length) {
  const fuse_out_header header{static_cast<uint32_t>(sizeof header + length), 0, unique};
  std::vector<char> reply(header.len);
  std::memcpy(reply.data(), &header, sizeof header);
  if (length > 0) std::memcpy(reply.data() + sizeof header, body, length);
  return reply;
}
