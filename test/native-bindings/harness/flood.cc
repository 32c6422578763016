// Everything at once: clients on several connections, threads that put windows and prefetched replies until others are
// evicted, and one thread that answers the requests in the queue. Every reply is compared with the model.
#include <dirent.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <map>
#include <thread>

#include "../../../native-bindings/device.h"
#include "expect.h"
#include "kernel.h"
#include "scenarios.h"

using vdisk::Device;
using vdisk::Request;

namespace {

constexpr size_t kConnections = 4;
constexpr size_t kPutters = 2;
constexpr int kRounds = 1500;  // of requests, a client
constexpr size_t kWindow = 1 << 14;
constexpr size_t kNodes = 8;
constexpr size_t kWindows = 256;  // of a node: all of them together cost more than is kept
constexpr uint64_t kSerials = 1 << 20;

struct Source {
  std::vector<ModelWindow> windows;
  std::vector<char> bytes;
};

// What all threads share. The sources never change.
struct World {
  std::vector<Source> sources;
  Kernel kernel{kConnections};
  std::atomic<bool> isOver{false};
  std::atomic<uint64_t> lastSerial{0};
  std::vector<std::atomic<bool>> used = std::vector<std::atomic<bool>>(kSerials);  // prefetched replies, by serial number
  std::atomic<uint64_t> prefetchedCount{0};

  std::mutex mutex;
  std::condition_variable woken;
  bool isWoken = false;
};

World* world;

// The body of a reply. `serial`: 1 or more for a prefetched reply, 0 for one to a request in the queue.
std::vector<char> bodyOf(uint32_t opcode, uint64_t node, uint64_t offset, uint64_t serial) {
  const uint64_t words[] = {serial, opcode, node, offset};
  const size_t length = sizeof words + (node * 1000 + offset * 77 + opcode) % 3000;
  std::vector<char> body(length, static_cast<char>(node + offset));
  std::memcpy(body.data(), words, sizeof words);
  return body;
}

void putWindow(Device& device, Random& random) {
  const uint64_t node = below(random, kNodes), index = below(random, kWindows);
  // A copy, whose memory is freed when it is evicted.
  device.putWindow(node, index, std::make_shared<vdisk::Window>(world->sources[node].windows[index].window));
}

void putReply(Device& device, Random& random) {
  const uint32_t opcode = random() % 2 ? FUSE_READDIR : FUSE_READDIRPLUS;
  const uint64_t node = below(random, kNodes), offset = below(random, 20);
  const uint64_t serial = ++world->lastSerial;
  if (serial >= kSerials) return;
  const auto body = bodyOf(opcode, node, offset, serial);
  device.putReply(opcode, node, offset, sealed(0, body.data(), body.size()));
}

void put(Device& device, uint64_t seed) {
  Random random(seed);
  while (!world->isOver) {
    for (int turn = 0; turn < 50; turn++) random() % 4 ? putWindow(device, random) : putReply(device, random);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

struct Asked {
  uint32_t opcode;
  uint64_t node, offset;
  uint32_t size;
};

void checkReply(const Asked& asked, const Reply& reply) {
  EXPECT(reply.error == 0);
  const auto& body = reply.body;
  if (asked.opcode == FUSE_READ) {
    const auto& bytes = world->sources[asked.node].bytes;
    const size_t from = std::min<size_t>(asked.offset, bytes.size());
    EXPECT(body.size() == std::min<size_t>(asked.size, bytes.size() - from));
    EXPECT(body.empty() || std::memcmp(body.data(), bytes.data() + from, body.size()) == 0);
    return;
  }
  if (asked.opcode == FUSE_RELEASE) {
    EXPECT(body.empty());
    return;
  }
  uint64_t serial;
  EXPECT(body.size() >= sizeof serial && body.size() <= asked.size);
  std::memcpy(&serial, body.data(), sizeof serial);
  auto whole = bodyOf(asked.opcode, asked.node, asked.offset, serial);
  if (serial == 0) whole.resize(std::min<size_t>(whole.size(), asked.size));
  EXPECT(body == whole);
  if (serial == 0) return;
  EXPECT(serial < kSerials && !world->used[serial].exchange(true));
  world->prefetchedCount++;
}

Asked ask(Random& random) {
  const uint64_t node = below(random, kNodes), end = world->sources[node].bytes.size();
  switch (below(random, 8)) {
    case 0:
      return {FUSE_READDIR, node, below(random, 20), 100u + static_cast<uint32_t>(below(random, 9000))};
    case 1:
      return {FUSE_READDIRPLUS, node, below(random, 20), 100u + static_cast<uint32_t>(below(random, 9000))};
    case 2:
      return {FUSE_RELEASE, node, 0, 0};
    default: {
      const uint32_t most = random() % 8 ? 10'000 : 70'000;  // see kernel.h
      return {FUSE_READ, node, below(random, end + 1000), 1 + static_cast<uint32_t>(below(random, most))};
    }
  }
}

uint64_t send(size_t connection, const Asked& asked) {
  const char zeros[24] = {};
  switch (asked.opcode) {
    case FUSE_RELEASE:
      return world->kernel.send(connection, FUSE_RELEASE, asked.node, zeros, sizeof zeros);
    default:
      return world->kernel.list(connection, asked.opcode, asked.node, asked.offset, asked.size);
  }
}

void client(size_t connection, uint64_t seed) {
  Random random(seed);
  const char zeros[16] = {};
  for (int round = 0; round < kRounds; round++) {
    std::map<uint64_t, Asked> waiting;
    for (uint64_t left = 1 + below(random, 6); left > 0; left--) {
      const Asked asked = ask(random);
      waiting.emplace(send(connection, asked), asked);
    }
    if (random() % 2) world->kernel.send(connection, random() % 2 ? FUSE_FORGET : FUSE_INTERRUPT, 1, zeros, sizeof zeros);
    while (!waiting.empty()) {
      const Reply reply = world->kernel.receive(connection);
      const auto found = waiting.find(reply.unique);
      EXPECT(found != waiting.end());
      checkReply(found->second, reply);
      waiting.erase(found);
    }
  }
  EXPECT(world->kernel.isSilent(connection));
}

// Does what TypeScript does with a request from the queue. Returns true if a prefetched reply had answered it.
bool takeOne(Device& device, Random& random, const Request& request) {
  const auto& header = *reinterpret_cast<const fuse_in_header*>(request.bytes.data());
  const auto& wanted = *reinterpret_cast<const fuse_read_in*>(request.bytes.data() + sizeof header);
  if (request.isNotification) return header.opcode != FUSE_READ && header.opcode != FUSE_INTERRUPT;
  if (random() % 2) putWindow(device, random);
  const auto send = [&](const char* bytes, size_t length) {
    const auto reply = sealed(header.unique, bytes, length);
    EXPECT(device.reply(request.connection, reply.data(), reply.size()) == 0);
  };
  if (header.opcode == FUSE_READ) {
    const auto& bytes = world->sources[header.nodeid].bytes;
    const size_t from = std::min<size_t>(wanted.offset, bytes.size());
    send(bytes.data() + from, std::min<size_t>(wanted.size, bytes.size() - from));
  } else {
    const auto body = bodyOf(header.opcode, header.nodeid, wanted.offset, 0);
    send(body.data(), std::min<size_t>(body.size(), wanted.size));
  }
  return false;
}

void makeSources(Random& random, const std::vector<HostFile>& files) {
  for (size_t node = 0; node < kNodes; node++) {
    Source source;
    for (size_t index = 0; index < kWindows; index++) {
      const size_t runs[] = {20, 20, 20, 700, 20'000};
      const size_t length = index + 1 < kWindows ? kWindow : 1 + below(random, kWindow - 1);
      const bool hasFallback = random() % 8 == 0;
      const Shape shape{length, runs[random() % 5], random() % 2 == 0, hasFallback};
      source.windows.push_back(makeWindow(random, files, shape));
      const auto& bytes = source.windows.back().bytes;
      source.bytes.insert(source.bytes.end(), bytes.begin(), bytes.end());
    }
    world->sources.push_back(std::move(source));
  }
}

size_t descriptorCount() {
  DIR* const folder = opendir("/proc/self/fd");
  size_t count = 0;
  while (readdir(folder) != nullptr) count++;
  closedir(folder);
  return count;
}

// Takes requests from the queue until all threads have ended. Returns how many had been answered by prefetched replies.
uint64_t takeAll(Device& device, Random& random) {
  uint64_t prefetched = 0, others = 0;
  for (bool isEnded = false; !isEnded;) {
    {
      std::unique_lock lock(world->mutex);
      world->woken.wait(lock, [] { return world->isWoken; });
      world->isWoken = false;
    }
    int error;
    isEnded = device.ended(error);
    EXPECT(error == 0);
    for (Request request; device.take(request);) (takeOne(device, random, request) ? prefetched : others)++;
  }
  std::printf("%lu answered by prefetched replies, %lu others in the queue\n", prefetched, others);
  return prefetched;
}

}  // namespace

void flood(Random& random) {
  const size_t descriptors = descriptorCount();
  {
    const auto files = makeFiles(random, 5, 300'007);
    World shared;
    world = &shared;
    makeSources(random, files);
    const auto wake = [](void*) {
      const std::lock_guard lock(world->mutex);
      world->isWoken = true;
      world->woken.notify_one();
    };
    Device device(shared.kernel.descriptors(), kWindow, wake, nullptr);
    std::vector<std::thread> putters, clients;
    for (size_t index = 0; index < kPutters; index++) putters.emplace_back(put, std::ref(device), random());
    for (size_t connection = 0; connection < kConnections; connection++) clients.emplace_back(client, connection, random());
    std::thread end([&] {
      for (auto& each : clients) each.join();
      shared.isOver = true;
      for (auto& each : putters) each.join();
      shared.kernel.close();
    });
    EXPECT(takeAll(device, random) == shared.prefetchedCount);
    end.join();
    EXPECT(shared.prefetchedCount > 100);
  }
  EXPECT(descriptorCount() == descriptors);
}
