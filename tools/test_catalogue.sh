#!/bin/sh
# Quality and scale on a large catalogue: ingests it, then holds the figures of
# docs/results to their bounds. Fails where the data is absent.
# usage: tools/test_catalogue.sh DIR    (tracks.tsv and podcasts.tsv in DIR)
set -eu
cd "$(dirname "$0")/.."
. tools/test_lib.sh
catalogue=$1
if [ ! -f "$catalogue/tracks.tsv" ] || [ ! -f "$catalogue/podcasts.tsv" ]; then
  echo "test: no tracks.tsv and podcasts.tsv in '$catalogue';" \
    "use make test-catalogue CATALOGUE=DIR" >&2
  exit 1
fi
tools/setup.sh test
build_preset release
index=build/catalogue-index
[ -f $index/index.json ] || build/release/quaver ingest --out $index \
  --popularity rank "$catalogue"/tracks.tsv "$catalogue"/podcasts.tsv
QUAVER_CATALOGUE=$catalogue QUAVER_INDEX=$index run_pytest tests/catalogue
finish
