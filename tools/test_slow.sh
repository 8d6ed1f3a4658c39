#!/bin/sh
# What takes too long for every change: live parity with the Python libraries,
# search bar and model server under load for SOAK_SECONDS (default 600) each,
# unit tests and the server under TSan, minutes of fuzzing (FUZZ_SECONDS each,
# default 120).
set -eu
cd "$(dirname "$0")/.."
. tools/test_lib.sh
tools/setup.sh slow
build_preset release
tools/demo_index.sh build/demo-index
run_slow_pytest() {
  log=build/logs/pytest-slow.log
  status=0
  build/venv-slow/bin/python -m pytest -q -rs -p no:cacheprovider "$@" \
    >"$log" 2>&1 || status=$?
  cat "$log"
  count_pytest "$log" "$status"
}
run_slow_pytest tests/slow
build_preset tsan
run_unit_tests tsan
echo "test: the model server under TSan and load"
QUAVER_BIN=$PWD/build/tsan/quaver SOAK_SECONDS=60 SOAK_MAX_GROWTH=10 \
  SOAK_GRPC=0 TSAN_OPTIONS="suppressions=$PWD/tools/tsan.supp" \
  run_slow_pytest tests/slow/test_model_soak.py
build_preset fuzz
for fuzzer in build/fuzz/*_fuzz; do
  name=$(basename "$fuzzer")
  corpus=build/corpora/$name
  mkdir -p "$corpus"
  echo "test: fuzzing $name"
  if "$fuzzer" -max_total_time="${FUZZ_SECONDS:-120}" -rss_limit_mb=4096 \
    "$corpus" "tests/corpora/$name" >"build/logs/$name.log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    tail -n 40 "build/logs/$name.log"
  fi
done
finish
