#!/bin/sh
# Ingests the demo catalogue into a folder, unless an index is there: the demo's
# is made anew when its files are newer, any other is left as it is.
# usage: tools/demo_index.sh FOLDER
set -eu
cd "$(dirname "$0")/.."
index=$1
mark=$index/demo.made
if [ -f "$index/index.json" ]; then
  if [ ! -f "$mark" ] && [ "$index" != build/demo-index ]; then
    exit 0
  fi
  if [ -f "$mark" ] && [ -z "$(find data/demo -name '*.tsv' -newer "$mark")" ]; then
    exit 0
  fi
  rm -rf "$index"
fi
build/release/quaver ingest --out "$index" data/demo/tracks.tsv \
  data/demo/podcasts.tsv data/demo/playlists.tsv
touch "$mark"
