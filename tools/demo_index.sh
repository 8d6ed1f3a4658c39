#!/bin/sh
# Ingests the demo catalogue into a folder, unless it is there and newer.
# usage: tools/demo_index.sh FOLDER
set -eu
cd "$(dirname "$0")/.."
index=$1
if [ -f "$index/index.json" ] &&
   [ -z "$(find data/demo -name '*.tsv' -newer "$index/index.json")" ]; then
  exit 0
fi
rm -rf "$index"
build/release/quaver ingest --out "$index" data/demo/tracks.tsv \
  data/demo/podcasts.tsv data/demo/playlists.tsv
