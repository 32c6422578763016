// Runs the parts of native-bindings/ that do not use Node-API: harness SCENARIO SEED
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

#include "expect.h"
#include "scenarios.h"

// Replaces read(2), by the linker's --wrap. No socket fails in the ways that /dev/fuse does: here, a negative descriptor
// fails with that errno.
extern "C" ssize_t __real_read(int fd, void* into, size_t length);
extern "C" ssize_t __wrap_read(int fd, void* into, size_t length) {
  if (fd >= 0) return __real_read(fd, into, length);
  errno = -fd;
  return -1;
}

int main(int count, char** arguments) {
  EXPECT(count == 3);
  std::signal(SIGPIPE, SIG_IGN);
  const std::string_view wanted = arguments[1];
  Random random(std::strtoull(arguments[2], nullptr, 10));
  if (wanted == "pieces") pieces(random);
  else if (wanted == "rules") rules(random);
  else if (wanted == "flood") flood(random);
  else if (wanted == "packed") packed(random);
  else if (wanted == "stop") stop(random);
  else EXPECT(false && "a scenario that exists");
  std::puts("good");
}
