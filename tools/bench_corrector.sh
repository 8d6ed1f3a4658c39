#!/usr/bin/env bash
# The corrector's model against CTranslate2, ONNX Runtime and Transformers on the
# same weights.
# usage: tools/bench_corrector.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
model=build/models/bench-base
if [ ! -f $model/model.safetensors ]; then
  echo "bench: no measuring checkpoint in $model; run: make bench-checkpoint" >&2
  exit 1
fi
tools/setup.sh bench
mkdir -p build/bench
log=build/bench/corrector.log
echo "bench: several minutes a round; the table goes to $log too"
build/venv-bench/bin/python -u bench/corrector/rivals.py \
  --model $model --rounds "${1:-3}" | tee $log
