#!/bin/sh
# Every quick test: the tree's shape, unit tests under ASan and UBSan, and the
# release binary end to end. Its last line counts what passed.
set -eu
cd "$(dirname "$0")/.."
jobs=$(nproc)
launcher=$(command -v ccache >/dev/null && echo -DCMAKE_CXX_COMPILER_LAUNCHER=ccache || true)
tools/setup.sh test
python3 tools/check_tree.py
for preset in asan release; do
  echo "test: building $preset"
  cmake --preset $preset $launcher >/dev/null
  cmake --build --preset $preset -j "$jobs"
done
ctest --preset asan -j "$jobs"
tools/demo_index.sh build/demo-index
build/venv/bin/python -m pytest -q tests --ignore=tests/slow \
  --ignore=tests/catalogue
