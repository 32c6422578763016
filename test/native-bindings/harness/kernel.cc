#include "kernel.h"

#include <unistd.h>

#include <cstring>

#include "expect.h"

namespace {

constexpr int kRoom = 2 << 20;  // bytes that may wait in a socket

}  // namespace

Kernel::Kernel(size_t lanes, int type) : sent_(lanes) {
  for (size_t lane = 0; lane < lanes; lane++) {
    int ends[2];
    EXPECT(socketpair(AF_UNIX, type, 0, ends) == 0);
    for (const int end : ends) {
      // Past the limit of ordinary users, as the mount needs root anyway.
      EXPECT(setsockopt(end, SOL_SOCKET, SO_SNDBUFFORCE, &kRoom, sizeof kRoom) == 0);
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

uint64_t Kernel::send(size_t lane, uint32_t opcode, uint64_t node, const void* body, size_t length) {
  fuse_in_header header{};
  header.len = static_cast<uint32_t>(sizeof header + length);
  header.opcode = opcode;
  header.unique = sent_[lane]++ << 8 | lane;
  header.nodeid = node;
  std::vector<char> message(header.len);
  std::memcpy(message.data(), &header, sizeof header);
  if (length > 0) std::memcpy(message.data() + sizeof header, body, length);
  EXPECT(::send(ours_[lane], message.data(), message.size(), 0) == static_cast<ssize_t>(message.size()));
  return header.unique;
}

uint64_t Kernel::list(size_t lane, uint32_t opcode, uint64_t node, uint64_t offset, uint32_t size) {
  fuse_read_in body{};
  body.offset = offset;
  body.size = size;
  return send(lane, opcode, node, &body, sizeof body);
}

uint64_t Kernel::read(size_t lane, uint64_t node, uint64_t offset, uint32_t size) {
  return list(lane, FUSE_READ, node, offset, size);
}

uint64_t Kernel::open(size_t lane, uint64_t node, uint32_t flags) {
  const fuse_open_in body{flags, 0};
  return send(lane, FUSE_OPEN, node, &body, sizeof body);
}

Reply Kernel::receive(size_t lane) {
  thread_local std::vector<char> message(kRoom);
  ssize_t length = 0;
  fuse_out_header header{};
  do {
    const size_t room = message.size() - static_cast<size_t>(length);
    const ssize_t received = recv(ours_[lane], message.data() + length, room, 0);
    EXPECT(received > 0);
    length += received;
    EXPECT(length >= static_cast<ssize_t>(sizeof header));
    std::memcpy(&header, message.data(), sizeof header);
  } while (length < static_cast<ssize_t>(header.len));
  EXPECT(header.len == length);
  return {header.unique, -header.error, {message.begin() + sizeof header, message.begin() + length}};
}

bool Kernel::isSilent(size_t lane) const {
  char byte;
  return recv(ours_[lane], &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

std::vector<char> sealed(uint64_t unique, const char* body, size_t length) {
  const fuse_out_header header{static_cast<uint32_t>(sizeof header + length), 0, unique};
  std::vector<char> reply(header.len);
  std::memcpy(reply.data(), &header, sizeof header);
  if (length > 0) std::memcpy(reply.data() + sizeof header, body, length);
  return reply;
}
