#!/bin/sh
# Quality and scale on a large catalogue: ingests it, then holds the figures of
# docs/results to their bounds. Fails where the data is absent.
# usage: tools/test_catalogue.sh DIR [SETS]   (tracks.tsv and podcasts.tsv in DIR;
# SETS: a folder of query sets, by default made from the catalogue)
set -eu
cd "$(dirname "$0")/.."
. tools/test_lib.sh
. tools/catalogue_lib.sh
catalogue=$1 sets=${2:-}
need_catalogue "$catalogue" "make test-catalogue CATALOGUE=DIR"
tools/setup.sh test
build_preset release
index=build/catalogue-index
index_catalogue "$catalogue" $index
if [ -z "$sets" ]; then
  sets=build/catalogue-sets
  make_sets "$catalogue" $sets 300
fi
QUAVER_CATALOGUE=$catalogue QUAVER_INDEX=$index QUAVER_SETS=$sets \
  run_pytest tests/catalogue
finish
