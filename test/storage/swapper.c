// An adversary: exchanges pairs of names as fast as it can, until its standard input ends.
//     swapper ONE OTHER [ONE OTHER …]
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

int main(int count, char** names) {
  struct pollfd input = {0, POLLIN, 0};
  for (unsigned round = 0;; round++) {
    for (int at = 1; at + 1 < count; at += 2) {
      if (renameat2(AT_FDCWD, names[at], AT_FDCWD, names[at + 1], RENAME_EXCHANGE) != 0) {
        perror("renameat2");
        return 1;
      }
    }
    if (round == 0) puts("swapping"), fflush(stdout);
    // At times it rests, so that whoever is attacked gets through now and then.
    if (round % 64 == 0) usleep(50);
    if (round % 1024 == 0 && poll(&input, 1, 0) > 0) return 0;
  }
}
