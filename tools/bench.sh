#!/usr/bin/env bash
# The encoder, the corrector's shape with random weights and, where there is a
# measuring checkpoint, the corrector beside their rivals, on this machine. Run
# nothing else meanwhile.
# usage: tools/bench.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh bench
mkdir -p build/bench
echo "bench: several minutes a round; tables go to build/bench/*.md, *.json"
build/venv-bench/bin/python bench/encoder/rivals.py --rounds "${1:-3}"
build/venv-bench/bin/python -u bench/corrector/rivals.py --random \
  --rounds "${1:-3}"
if [ -f build/models/bench-base/model.safetensors ]; then
  tools/bench_corrector.sh "${1:-3}"
else
  echo "bench: no measuring checkpoint; make bench-checkpoint trains it (minutes)"
fi
