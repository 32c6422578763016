#!/bin/sh
# Fuzzes the decoders, parsers and whole images, as docs/fuzzing.md describes. Ends with an error if it finds something.
#
#   scripts/fuzz.sh [--minutes 60] [--state FOLDER] [--seed N] [--only NAME,…]
#   scripts/fuzz.sh --report [--state FOLDER]      what has been run so far
#   scripts/fuzz.sh --replay FILE                  one finding again
#
# Needs what scripts/test.sh installs.
set -eu
cd "$(dirname "$0")/.."
exec node --import tsx test/fuzz/main.ts "$@"
