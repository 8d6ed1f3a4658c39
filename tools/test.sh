#!/bin/sh
# Every quick test: the tree's shape, unit tests under ASan and UBSan, and the
# release binary end to end. The last line counts what passed and was skipped.
set -eu
cd "$(dirname "$0")/.."
. tools/test_lib.sh
tools/setup.sh test
python3 tools/check_tree.py
build_preset asan
run_unit_tests asan
build_preset release
tools/demo_index.sh build/demo-index
run_pytest tests --ignore=tests/slow --ignore=tests/catalogue
finish
