# Sourced by the test scripts, from the root of the tree: building, running,
# counting. A failure is counted and the run goes on; finish() says the sums.
passed=0 failed=0 skipped=0
mkdir -p build/logs

build_preset() {
  echo "test: building $1"
  launcher=
  ! command -v ccache >/dev/null ||
    launcher=-DCMAKE_CXX_COMPILER_LAUNCHER=ccache
  cmake --preset "$1" $launcher >"build/logs/configure-$1.log" || {
    cat "build/logs/configure-$1.log"
    exit 1
  }
  cmake --build --preset "$1" -j "$(nproc)"
}

# tests_in LOG WORD: the number that GoogleTest's closing lines give.
tests_in() {
  awk -v word="$2" '$0 ~ "^\\[ *" word " *\\] [0-9]+ test" {
    sub(/^\[[^]]*\] /, ""); n = $1 } END { print n + 0 }' "$1"
}

# Every unit test binary of a preset, one after the other.
run_unit_tests() {
  for binary in build/"$1"/*_test; do
    name=$(basename "$binary")
    log=build/logs/$1-$name.log
    start=$(date +%s)
    status=0
    UBSAN_OPTIONS=print_stacktrace=1 \
      TSAN_OPTIONS=suppressions="$PWD/tools/tsan.supp" \
      timeout 1800 "$binary" >"$log" 2>&1 ||
      status=$?
    passed=$((passed + $(tests_in "$log" PASSED)))
    skipped=$((skipped + $(tests_in "$log" SKIPPED)))
    if [ $status != 0 ]; then
      bad=$(tests_in "$log" FAILED)
      failed=$((failed + (bad > 0 ? bad : 1)))
      tail -n 60 "$log"
    fi
    echo "test: $1 $name: exit status $status, $(($(date +%s) - start)) s"
  done
}

# words_in LOG WORD: the number before a word of pytest's closing line.
words_in() {
  tail -n 1 "$1" | grep -oE "[0-9]+ $2" | awk '{ print $1 }' || echo 0
}

run_pytest() {
  log=build/logs/pytest.log
  status=0
  build/venv/bin/python -m pytest -q -rs -p no:cacheprovider "$@" \
    >"$log" 2>&1 || status=$?
  cat "$log"
  count_pytest "$log" "$status"
}

count_pytest() {
  passed=$((passed + $(words_in "$1" passed | grep . || echo 0)))
  skipped=$((skipped + $(words_in "$1" skipped | grep . || echo 0)))
  [ "$2" = 0 ] && return 0
  bad=$(words_in "$1" failed | grep . || echo 0)
  errors=$(words_in "$1" error | grep . || echo 0)
  failed=$((failed + (bad + errors > 0 ? bad + errors : 1)))
}

finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]
}
