#!/usr/bin/env bash
# Correction and search of misspelled queries on a large catalogue, and on request
# a folder of rival programs on the same files. All tables: build/bench/spelling.log
# usage: CATALOGUE=DIR [RIVALS=DIR] [SETS=DIR] [ROWS=n] [WORDS=DIR] tools/bench_spelling.sh
#   RIVALS: spell.py, project.py, retrieval.py and rerank.py, which take CATALOGUE SETS
#   WORDS: the English word list that spell.py asks for, by default CATALOGUE/../words
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/catalogue_lib.sh
catalogue=${CATALOGUE:-} rivals=${RIVALS:-} given=${SETS:-} rows=${ROWS:-100}
words=${WORDS:-$catalogue/../words}
index=build/catalogue-index sets=build/bench/spelling-sets log=build/bench/spelling.log

fail() {
  echo "bench: $*" >&2
  exit 1
}

# run NAME COMMAND...: writes what it prints to the log.
run() {
  local name=$1 start=$SECONDS
  shift
  echo "bench: running $name"
  echo "== $name" >>$log
  "$@" >>$log 2>&1 || {
    tail -n 20 $log >&2
    fail "$name failed: the end of $log is above"
  }
  echo "bench: $name took $((SECONDS - start)) s"
}

rival() {
  run "rival $1" build/venv-rivals/bin/python -u "$rivals/$1" "$catalogue" "${@:2}"
}

need_catalogue "$catalogue" "make bench-spelling CATALOGUE=DIR"
[[ $rows =~ ^[1-9][0-9]*$ ]] || fail "ROWS='$rows' is not a number of rows"
[[ -x $quaver ]] || fail "no program $quaver; run: make build"
if [[ -n $rivals ]]; then
  for program in spell.py project.py retrieval.py rerank.py; do
    [[ -f $rivals/$program ]] ||
      fail "no $program in '$rivals'; name the rivals' folder: RIVALS=DIR"
  done
  [[ -d $words ]] || fail "no folder '$words'; name spell.py's: WORDS=DIR"
  tools/setup.sh rivals
fi

mkdir -p build/bench
index_catalogue "$catalogue" $index
if [[ -z $given ]]; then
  make_sets "$catalogue" $sets "$rows"
else
  compgen -G "$given/*.tsv" >/dev/null ||
    fail "no query sets (.tsv) in '$given'; make them: $quaver eval make-sets"
  rm -rf $sets && mkdir $sets
  for file in "$given"/*.tsv; do
    head -n "$rows" "$file" >"$sets/$(basename "$file")"
  done
fi

: >$log
ours=(--index "$index" --sets "$sets" --model "$encoder" --corrector models/corrector)
run "quaver eval correct" "$quaver" eval correct "${ours[@]}" --rows "$rows"
run "quaver eval search" "$quaver" eval search "${ours[@]}" --rows "$rows"
if [[ -n $rivals ]]; then
  echo "bench: the rivals take about $((rows / 7 + 1)) minutes" # a second a row
  rival spell.py $sets "$words"
  rival project.py $sets "$rows"
  rival retrieval.py $sets
  rival rerank.py $sets "$rows"
fi
cat $log
