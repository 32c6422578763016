// Ends the process with a message if a condition is false.
#pragma once

#include <cstdio>
#include <cstdlib>

#define EXPECT(condition)                                                                  \
  do {                                                                                     \
    if (condition) break;                                                                  \
    std::fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);          \
    std::_Exit(1);                                                                         \
  } while (false)
