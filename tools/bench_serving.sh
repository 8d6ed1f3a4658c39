#!/usr/bin/env bash
# The model server under load beside Triton, then corrector, search and
# bart-base's shape. Run nothing else meanwhile.
# usage: [INDEX=DIR] [QUERIES=FILE] [SECONDS_EACH=n] tools/bench_serving.sh
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh serving
onnx=build/bench/encoder-int8.onnx
if [ ! -f $onnx ]; then
  echo "bench: no $onnx for Triton; run: make bench" >&2
  exit 1
fi
bart=()
plan=build/bench/bench-base-int8.plan
if [ -f $plan ]; then
  bart=(--bart $plan)
else
  echo "bench: without bart-base's shape: no $plan; run: make bench-checkpoint," \
    "then make bench"
fi
mkdir -p build/bench/serving
echo "bench: about fifteen minutes; tables go to build/bench/serving"
build/venv-serving/bin/python -u bench/serving/rivals.py \
  --triton build/venv-serving --onnx $onnx \
  --index "${INDEX:-build/demo-index}" \
  --queries "${QUERIES:-data/demo/tracks.tsv}" \
  --seconds "${SECONDS_EACH:-15}" "${bart[@]}"
