// The scenarios of the harness. Each ends the process with a message if something is wrong.
#pragma once

#include "scene.h"

void pieces(Random& random);
void rules(Random& random);
void flood(Random& random);
void packed(Random& random);
void stop(Random& random);
