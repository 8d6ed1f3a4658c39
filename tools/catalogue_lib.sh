# shellcheck shell=sh
# Sourced by what measures on a large catalogue, from the root of the tree.
quaver=${QUAVER_BIN:-build/release/quaver}
encoder=build/models/minilm

# need_catalogue DIR USAGE: fails, naming what is absent, unless DIR can be used.
need_catalogue() {
  for file in tracks.tsv podcasts.tsv; do
    [ -f "$1/$file" ] && continue
    echo "catalogue: no $file in '$1'; use $2" >&2
    exit 1
  done
}

# index_catalogue DIR INDEX: ingests the catalogue unless an index is there.
index_catalogue() {
  if [ -f "$2/index.json" ]; then
    echo "catalogue: using the index $2 (remove it to ingest anew)"
    return 0
  fi
  echo "catalogue: ingesting $1 into $2"
  "$quaver" ingest --model $encoder --out "$2" --popularity rank \
    "$1/tracks.tsv" "$1/podcasts.tsv"
}

# make_sets DIR OUT ROWS: the catalogue's query sets, the same ones every time.
make_sets() {
  echo "catalogue: making query sets of $3 rows in $2"
  rm -rf "$2"
  "$quaver" eval make-sets --catalogue "$1/tracks.tsv" --out "$2" \
    --rows "$3" --seed 20 >/dev/null
}
