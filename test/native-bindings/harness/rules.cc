// Which requests the threads answer, and which they leave in the queue: one request at a time.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "../../../native-bindings/device.h"
#include "expect.h"
#include "kernel.h"
#include "scenarios.h"

using vdisk::Device;
using vdisk::Request;
using vdisk::Window;

namespace {

constexpr size_t kWindow = 4096;
constexpr uint64_t kNode = 7;

// A device with one connection, and its kernel.
struct Served {
  explicit Served(int type = SOCK_SEQPACKET) : kernel(1, type) {}

  Kernel kernel;
  std::atomic<int> wakes{0};
  Device device{kernel.descriptors(), kWindow, wake, this};

  static void wake(void* served) { static_cast<Served*>(served)->wakes++; }

  ~Served() {
    kernel.close();
    int error;
    while (!device.ended(error)) usleep(1000);
    EXPECT(error == 0);
  }

  void put(uint64_t index, Window window) {
    device.putWindow(kNode, index, std::make_shared<Window>(std::move(window)));
  }

  // The threads' reply to the request that has just been sent.
  std::string answered(uint64_t unique) {
    const Reply reply = kernel.receive(0);
    EXPECT(reply.unique == unique && reply.error == 0);
    return {reply.body.begin(), reply.body.end()};
  }

  // The same for a read that is also notified.
  std::string answeredAndNotified(uint64_t unique) {
    const std::string body = answered(unique);
    const Request request = taken();
    EXPECT(request.isNotification);
    EXPECT(reinterpret_cast<const fuse_in_header*>(request.bytes.data())->unique == unique);
    return body;
  }

  // Expects that the request that has just been sent is not answered, but queued.
  void queued(uint64_t unique) {
    const Request request = taken();
    EXPECT(!request.isNotification && request.connection == 0);
    EXPECT(reinterpret_cast<const fuse_in_header*>(request.bytes.data())->unique == unique);
    EXPECT(wakes > 0 && kernel.isSilent(0));
  }

  // The only request in the queue.
  Request taken() {
    Request request, another;
    for (int waited = 0; !device.take(request); waited++) {
      EXPECT(waited < 100'000 && "a request to be taken within ten seconds");
      usleep(100);
    }
    EXPECT(!device.take(another));
    return request;
  }
};

std::string text(const std::vector<char>& bytes, size_t from, size_t length) {
  return {bytes.data() + from, length};
}

Window zeros(int64_t length, bool notifyFirstRead) {
  Window window(notifyFirstRead);
  window.append({length, 0, vdisk::kZero});
  return window;
}

void readsAreAnsweredFromWindowsAlone(Random& random) {
  const auto files = makeFiles(random, 2, 9999);
  const auto first = makeWindow(random, files, {kWindow, 300, false, false});
  const auto second = makeWindow(random, files, {1000, 50, true, false});  // the source ends here
  std::vector<char> all = first.bytes;
  all.insert(all.end(), second.bytes.begin(), second.bytes.end());
  Served served;
  served.queued(served.kernel.read(0, kNode, 0, 10));
  served.put(0, first.window);
  EXPECT(served.answered(served.kernel.read(0, kNode, 5, 4000)) == text(all, 5, 4000));
  EXPECT(served.answered(served.kernel.read(0, kNode, 6, 4000)) == text(all, 6, 4000));
  served.queued(served.kernel.read(0, kNode, 4000, 97));  // its last byte is in the next window
  served.queued(served.kernel.read(0, kNode + 1, 0, 1));
  served.put(1, second.window);
  EXPECT(served.answered(served.kernel.read(0, kNode, 4000, 97)) == text(all, 4000, 97));
  EXPECT(served.answered(served.kernel.read(0, kNode, 1, 1 << 20)) == text(all, 1, 5095));
  for (const uint64_t past : {5096, 5097, 8191})
    EXPECT(served.answered(served.kernel.read(0, kNode, past, 10)).empty());
  for (const uint64_t far : {8192ull, 1ull << 62, (1ull << 63) - 10, 1ull << 63, ~0ull})
    served.queued(served.kernel.read(0, kNode, far, 10));
  served.queued(served.kernel.read(0, kNode, 0, (1 << 20) + 1));
}

void theFirstReadIsNotifiedIfTheWindowSaysSo() {
  Served served;
  Request none;
  for (const int64_t length : {static_cast<int64_t>(kWindow), static_cast<int64_t>(100)}) {
    for (const bool notifyFirstRead : {true, false, true}) {
      served.put(0, zeros(length, notifyFirstRead));
      const uint64_t unique = served.kernel.read(0, kNode, 0, 9);
      EXPECT((notifyFirstRead ? served.answeredAndNotified(unique) : served.answered(unique)) == std::string(9, '\0'));
      served.answered(served.kernel.read(0, kNode, 9, 9));
      EXPECT(!served.device.take(none));
    }
  }
}

void readsOfTheLargestSizeFit(Random& random) {
  const auto files = makeFiles(random, 2, 99'999);
  Served served(SOCK_STREAM);
  std::string all;
  for (uint64_t index = 0; index < 257; index++) {
    const auto made = makeWindow(random, files, {kWindow, 500, index % 2 == 0, false});
    served.put(index, made.window);
    all.append(made.bytes.begin(), made.bytes.end());
  }
  EXPECT(served.answered(served.kernel.read(0, kNode, 1, 1 << 20)) == all.substr(1, 1 << 20));
}

// Adjacent bytes of one file go through a pipe, unless they are more than the pipe holds.
void longPiecesAreAnsweredWhole(Random& random) {
  const auto files = makeFiles(random, 1, 2'000'003);
  const HostFile& file = files[0];
  const auto pieceAt = [&](int64_t offset) {
    Window window;
    window.append({1000, offset, file.fd});
    window.append({kWindow - 1000, offset + 1000, file.fd});
    return window;
  };
  constexpr int64_t kSkipped = 12'345;
  Served served(SOCK_STREAM);
  for (uint64_t index = 0; index < 400; index++) served.put(index, pieceAt(kSkipped + index * kWindow));
  const auto isRight = [&](uint64_t offset, uint32_t size) {
    return served.answered(served.kernel.read(0, kNode, offset, size)) == text(file.bytes, kSkipped + offset, size);
  };
  for (const uint32_t size : {1u << 16, 1u << 17, (1u << 17) - 1, 300'001u, 1u << 19, 1u << 17})
    for (const uint64_t offset : {0, 1, 1000, 4095, 777'777}) EXPECT(isRight(offset, size));
  // The file is cut, then as long as before: a part of a reply that is not sent is not in the next one.
  EXPECT(ftruncate(file.fd, kSkipped + 900'000) == 0);
  served.queued(served.kernel.read(0, kNode, 600'000, 300'001));
  EXPECT(isRight(600'000, 300'000));
  EXPECT(pwrite(file.fd, file.bytes.data(), file.bytes.size(), 0) == static_cast<ssize_t>(file.bytes.size()));
  EXPECT(isRight(600'000, 300'001));
  EXPECT(isRight(3, 1 << 20));
}

void aReadOfSeveralPiecesIsNotSpliced(Random& random) {
  const auto files = makeFiles(random, 2, 500'000);
  for (const int other : {files[0].fd, files[1].fd, vdisk::kZero}) {
    Served served(SOCK_STREAM);
    std::string all;
    for (int64_t index = 0; index < 100; index++) {
      Window window;
      const int64_t length = index == 50 ? kWindow - 1 : kWindow;
      window.append({length, index * 4096, files[0].fd});
      all += text(files[0].bytes, index * 4096, length);
      if (index == 50) {
        window.append({1, 3, other});
        all += other == vdisk::kZero ? '\0' : files[other == files[1].fd].bytes[3];
      }
      served.put(index, std::move(window));
    }
    for (const uint32_t size : {409'600u, 204'800u + 4095, 204'800u + 4096, 204'800u + 4097})
      EXPECT(served.answered(served.kernel.read(0, kNode, 0, size)) == all.substr(0, size));
    EXPECT(served.answered(served.kernel.read(0, kNode, 204'800 + 4095, 200'000)) == all.substr(204'800 + 4095, 200'000));
  }
}

void fallbackRunsAreQueuedAndTheirNeighboursAnswered(Random& random) {
  const auto files = makeFiles(random, 1, 9999);
  Window window;
  window.append({100, 50, files[0].fd});
  window.append({10, 0, vdisk::kFallback});
  window.append({200, 9900, files[0].fd});  // the file ends after 99 bytes of it
  Served served;
  served.put(0, std::move(window));
  EXPECT(served.answered(served.kernel.read(0, kNode, 0, 100)) == text(files[0].bytes, 50, 100));
  served.queued(served.kernel.read(0, kNode, 99, 2));
  served.queued(served.kernel.read(0, kNode, 109, 1));
  EXPECT(served.answered(served.kernel.read(0, kNode, 110, 99)) == text(files[0].bytes, 9900, 99));
  served.queued(served.kernel.read(0, kNode, 110, 100));
  served.queued(served.kernel.read(0, kNode, 300, 10));
}

// 300 bytes: 100 of LZNT1, which has them as they are, from two files, and 200 that are stored.
vdisk::Unit makeUnit(const HostFile& packed, const HostFile& stored) {
  vdisk::Unit unit;
  unit.parts = {{102, 40, packed.fd}, {200, 7, stored.fd}};
  unit.packed = 302;
  unit.chunks = {{0, 0, 102, 0, 100}, {3, 102, 302, 100, 200}};
  return unit;
}

void unitsAreUnpackedWhole(Random& random) {
  auto files = makeFiles(random, 2, 1000);
  // Its header says: not compressed, 100 bytes.
  const char header[] = {0x63, 0x30};
  EXPECT(pwrite(files[0].fd, header, 2, 40) == 2);
  const std::string unpacked = text(files[0].bytes, 42, 100) + text(files[1].bytes, 7, 200);
  Window window;
  window.append({50, 500, files[1].fd});
  window.append({300, 0, vdisk::kPacked});
  window.append({300, 1, vdisk::kPacked});
  window.append({20, 0, vdisk::kZero});
  window.units = {makeUnit(files[0], files[1]), makeUnit(files[0], files[1])};
  window.units[1].chunks[0].size = 3;  // more than one chunk's worth of bytes is cut, as at a file's end
  window.units[1].chunks[1].offset = 3;
  const std::string second = unpacked.substr(0, 3) + unpacked.substr(100);
  Served served;
  served.put(0, window);
  const std::string before = text(files[1].bytes, 500, 50);
  EXPECT(served.answered(served.kernel.read(0, kNode, 0, 350)) == before + unpacked);
  EXPECT(served.answered(served.kernel.read(0, kNode, 50, 300)) == unpacked);
  EXPECT(served.answered(served.kernel.read(0, kNode, 0, 50)) == before);
  EXPECT(served.answered(served.kernel.read(0, kNode, 50, 600)).substr(0, 503) == unpacked + second);
  // A part of a unit is for TypeScript, which caches the rest of it.
  for (const size_t from : {49, 51}) served.queued(served.kernel.read(0, kNode, from, 299));
  served.queued(served.kernel.read(0, kNode, 60, 1));
  // A damaged chunk, a stored chunk of another size, and a file that ends too early.
  for (int fault = 0; fault < 3; fault++) {
    Window damaged = window;
    auto& unit = damaged.units[0];
    if (fault == 0) unit.chunks[0].start = 1;
    if (fault == 1) unit.chunks[1].size = 199;
    if (fault == 2) unit.parts[1].offset = 950;
    served.put(0, std::move(damaged));
    served.queued(served.kernel.read(0, kNode, 0, 350));
    EXPECT(served.answered(served.kernel.read(0, kNode, 650, 20)) == std::string(20, '\0'));
  }
}

void fieldsOfChunksAreChecked() {
  vdisk::Chunk chunk;
  const double good[] = {2, 10, 20, 5, 30};
  EXPECT(vdisk::toChunk(good, 20, 35, chunk) && chunk.codec == 2 && chunk.end == 20 && chunk.size == 30);
  EXPECT(!vdisk::toChunk(good, 19, 35, chunk) && !vdisk::toChunk(good, 20, 34, chunk));
  for (int index = 0; index < 5; index++) {
    for (const double wrong : {-1.0, 5e9, 0.0 / 0.0, 1e300}) {
      double numbers[5];
      std::copy(good, good + 5, numbers);
      numbers[index] = wrong;
      EXPECT(!vdisk::toChunk(numbers, 20, 35, chunk));
    }
  }
  const double backwards[] = {1, 20, 10, 0, 1}, unknown[] = {4, 0, 1, 0, 1};
  EXPECT(!vdisk::toChunk(backwards, 20, 35, chunk) && !vdisk::toChunk(unknown, 20, 35, chunk));
}

void prefetchedRepliesAreSentOnceIfTheyFit() {
  Served served;
  Device& device = served.device;
  const auto taken = [&](uint32_t opcode) {
    const Request request = served.taken();
    EXPECT(request.isNotification);
    EXPECT(reinterpret_cast<const fuse_in_header*>(request.bytes.data())->opcode == opcode);
  };
  const std::string body(100, 'o');
  const auto put = [&](uint32_t opcode, uint64_t offset) {
    device.putReply(opcode, kNode, offset, sealed(0, body.data(), body.size()));
  };
  put(FUSE_READLINK, 0);
  served.queued(served.kernel.send(0, FUSE_READLINK, kNode + 1, nullptr, 0));
  EXPECT(served.answered(served.kernel.send(0, FUSE_READLINK, kNode, nullptr, 0)) == body);
  served.queued(served.kernel.send(0, FUSE_READLINK, kNode, nullptr, 0));
  Request none;
  EXPECT(!device.take(none));
  for (const uint32_t opcode : {FUSE_READDIR, FUSE_READDIRPLUS}) {
    put(opcode, 5);
    served.queued(served.kernel.list(0, opcode, kNode, 0, 4096));
    const uint32_t other = opcode == FUSE_READDIR ? FUSE_READDIRPLUS : FUSE_READDIR;
    served.queued(served.kernel.list(0, other, kNode, 5, 4096));
    EXPECT(served.answered(served.kernel.list(0, opcode, kNode, 5, 100)) == body);
    taken(opcode);
    put(opcode, 0);
    EXPECT(served.answered(served.kernel.list(0, opcode, kNode, 0, 100)) == body);
    taken(opcode);
    // Nothing follows the end of a listing: there is no notification.
    device.putReply(opcode, kNode, 7, sealed(0, nullptr, 0));
    EXPECT(served.answered(served.kernel.list(0, opcode, kNode, 7, 100)).empty());
    EXPECT(!device.take(none));
    put(opcode, 6);
    served.queued(served.kernel.list(0, opcode, kNode, 6, 99));
  }
}

void requestsWithoutStateAreAnsweredAtOnce() {
  Served served;
  const char nothing[64] = {};
  for (const uint32_t opcode : {FUSE_FORGET, FUSE_BATCH_FORGET})
    served.kernel.send(0, opcode, kNode, nothing, 16);
  for (const uint32_t opcode : {FUSE_RELEASE, FUSE_RELEASEDIR})
    EXPECT(served.answered(served.kernel.send(0, opcode, kNode, nothing, 24)).empty());
  const uint64_t unique = served.kernel.send(0, FUSE_GETATTR, kNode, nothing, 16);
  served.queued(unique);
  EXPECT(served.device.reply(0, sealed(unique, "abc", 3).data(), 19) == 0);
  EXPECT(served.answered(unique) == "abc");
}

void interruptsAreNotified() {
  Served served;
  const char nothing[64] = {};
  const uint64_t unique = served.kernel.send(0, FUSE_GETATTR, kNode, nothing, 16);
  served.queued(unique);
  served.kernel.send(0, FUSE_INTERRUPT, 0, &unique, sizeof unique);
  const Request request = served.taken();
  EXPECT(request.isNotification && request.bytes.size() == sizeof(fuse_in_header) + sizeof unique);
  EXPECT(reinterpret_cast<const fuse_in_header*>(request.bytes.data())->opcode == FUSE_INTERRUPT);
  EXPECT(std::memcmp(request.bytes.data() + sizeof(fuse_in_header), &unique, sizeof unique) == 0);
  EXPECT(served.kernel.isSilent(0));
}

void windowsAreEvictedLeastRecentlyUsedFirst() {
  Served served;
  for (uint64_t index = 0; index < 200'000; index++) {
    served.put(index, zeros(kWindow, index == 0));
    if (index % 1000 > 0) continue;
    const uint64_t unique = served.kernel.read(0, kNode, 0, 9);
    EXPECT((index == 0 ? served.answeredAndNotified(unique) : served.answered(unique)) == std::string(9, '\0'));
  }
  EXPECT(served.answered(served.kernel.read(0, kNode, 199'999 * kWindow, 9)).size() == 9);
  served.queued(served.kernel.read(0, kNode, kWindow, 9));
  Window huge;
  for (int run = 0; run < 600'000; run++) huge.append({1, 0, vdisk::kZero});
  served.put(1, std::move(huge));
  served.queued(served.kernel.read(0, kNode, kWindow, 9));
}

void nothingIsAnsweredOnceItHasStopped() {
  Served served;
  served.put(0, zeros(kWindow, false));
  served.device.stop();
  served.kernel.read(0, kNode, 0, 1);
  usleep(10'000);
  EXPECT(served.kernel.isSilent(0) && served.wakes == 0);
}

// The errno with which a device ends if its connections fail with these.
int endOf(std::vector<int> errors) {
  for (int& error : errors) error = -error;  // main.cc's reads fail so
  Device device(errors, kWindow, [](void*) {}, nullptr);
  int error = 0;
  while (!device.ended(error)) usleep(1000);
  return error;
}

void onlyAnEndWithoutAnUnmountHasAnErrno() {
  EXPECT(endOf({EIO}) == EIO);
  EXPECT(endOf({ENODEV, EPERM, ENODEV}) == EPERM);
  EXPECT(endOf({ENODEV, ECONNABORTED, ENODEV}) == 0);
}

}  // namespace

void rules(Random& random) {
  readsAreAnsweredFromWindowsAlone(random);
  theFirstReadIsNotifiedIfTheWindowSaysSo();
  readsOfTheLargestSizeFit(random);
  longPiecesAreAnsweredWhole(random);
  aReadOfSeveralPiecesIsNotSpliced(random);
  fallbackRunsAreQueuedAndTheirNeighboursAnswered(random);
  unitsAreUnpackedWhole(random);
  fieldsOfChunksAreChecked();
  prefetchedRepliesAreSentOnceIfTheyFit();
  requestsWithoutStateAreAnsweredAtOnce();
  interruptsAreNotified();
  windowsAreEvictedLeastRecentlyUsedFirst();
  nothingIsAnsweredOnceItHasStopped();
  onlyAnEndWithoutAnUnmountHasAnErrno();
}
