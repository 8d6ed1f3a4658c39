#!/bin/sh
# Every quick test: the tree's shape, unit tests under ASan and UBSan (those of
# libtorch's half of the trainer without), and the release binaries end to end.
# The last line counts what passed and was skipped.
set -eu
cd "$(dirname "$0")/.."
. tools/test_lib.sh
tools/setup.sh test
python3 tools/check_tree.py
build_preset asan
run_unit_tests asan
build_preset release
cmake --build --preset release --target torch_test -j "$(nproc)"
run_unit_tests release
tools/demo_index.sh build/demo-index
run_pytest tests --ignore=tests/slow --ignore=tests/catalogue
finish
