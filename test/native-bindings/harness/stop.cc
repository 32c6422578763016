// Stops devices while their mounts still exist, at any moment: while all threads wait for requests, and while they answer.
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "../../../native-bindings/device.h"
#include "expect.h"
#include "kernel.h"
#include "scenarios.h"

using vdisk::Device;
using vdisk::Request;

namespace {

constexpr size_t kConnections = 4;
constexpr int kRounds = 300;
constexpr uint64_t kRequests = 60;  // of a connection in one round: their replies fit into a socket
constexpr size_t kWindow = 1 << 14;

struct Wakes {
  std::mutex mutex;
  bool isStopped = false;
  int count = 0;
};

void wake(void* context) {
  auto* wakes = static_cast<Wakes*>(context);
  const std::lock_guard lock(wakes->mutex);
  EXPECT(!wakes->isStopped);
  wakes->count++;
}

void ask(Kernel& kernel, size_t connection, uint64_t seed, uint64_t count) {
  Random random(seed);
  for (; count > 0; count--) {
    const auto size = static_cast<uint32_t>(1 + below(random, 4096));
    if (random() % 4) kernel.read(connection, below(random, 3), below(random, 2 * kWindow), size);
    else kernel.list(connection, FUSE_READDIRPLUS, 1, below(random, 100), size);
  }
}

}  // namespace

void stop(Random& random) {
  const auto files = makeFiles(random, 3, 100'003);
  int woken = 0;
  for (int round = 0; round < kRounds; round++) {
    Kernel kernel(kConnections);
    Wakes wakes;
    Device device(kernel.descriptors(), kWindow, wake, &wakes);
    for (uint64_t node = 0; node < 2; node++) {
      const Shape shape{kWindow, 100, random() % 2 == 0, random() % 2 == 0};
      device.putWindow(node, 0, std::make_shared<vdisk::Window>(makeWindow(random, files, shape).window));
    }
    std::vector<std::thread> clients;
    const uint64_t count = round % 4 == 0 ? 0 : kRequests;
    for (size_t connection = 0; connection < kConnections; connection++) clients.emplace_back(ask, std::ref(kernel), connection, random(), count);
    std::this_thread::sleep_for(std::chrono::microseconds(below(random, 1500)));
    if (random() % 2)
      for (Request request; device.take(request);) {}
    device.stop();
    {
      const std::lock_guard lock(wakes.mutex);
      wakes.isStopped = true;
      woken += wakes.count;
    }
    int error;
    EXPECT(device.ended(error) && error == 0);
    for (auto& client : clients) client.join();
  }
  EXPECT(woken > kRounds / 4);
}
