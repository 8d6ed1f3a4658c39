# make run: a search bar on http://127.0.0.1:8080. make test: every quick test.
PORT ?= 8080
INDEX ?= build/demo-index
JOBS ?= $(shell nproc)
LAUNCHER := $(if $(shell command -v ccache),-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
QUAVER := build/release/quaver

.PHONY: help setup build index run test test-slow test-catalogue bench-setup bench \
  bench-checkpoint \
  bench-corrector bench-serving bench-spelling check format clean

help:
	@echo "make run             build, ingest the demo catalogue, serve on port $(PORT)"
	@echo "make test            build and run every quick test (half an hour)"
	@echo "make test-slow       live parity, TSan, fuzzing (an hour)"
	@echo "make test-catalogue CATALOGUE=DIR [SETS=DIR]   quality and scale on a large catalogue"
	@echo "make bench [ROUNDS=n]  encoder and corrector beside rivals, which bench-setup installs"
	@echo "make bench-checkpoint   a BART of bart-base's shape for timings (minutes)"
	@echo "make bench-corrector [ROUNDS=n]   its speed beside CTranslate2 and Transformers"
	@echo "make bench-serving [INDEX=DIR]   the model server under load beside Triton"
	@echo "make bench-spelling CATALOGUE=DIR [SETS=DIR] [ROWS=n] [RIVALS=DIR [WORDS=DIR]]"
	@echo "                     correction and search of misspelled queries, rivals beside"
	@echo "make build | check | format | clean"

setup:
	@tools/setup.sh build

build: setup
	@[ -f build/release/build.ninja ] || cmake --preset release $(LAUNCHER)
	@cmake --build --preset release -j $(JOBS)

index: build
	@tools/demo_index.sh $(INDEX)

run: index
	@exec $(QUAVER) serve --index $(INDEX) --port $(PORT)

test:
	@tools/test.sh

test-slow:
	@tools/test_slow.sh

test-catalogue:
	@tools/test_catalogue.sh "$(CATALOGUE)" "$(SETS)"

bench-checkpoint: build
	@tools/bench_checkpoint.sh

bench-setup:
	@tools/setup.sh bench

bench: build
	@tools/bench.sh $(ROUNDS)

bench-serving: index
	@INDEX="$(INDEX)" tools/bench_serving.sh

bench-corrector: build
	@tools/bench_corrector.sh $(ROUNDS)

bench-spelling: build
	@CATALOGUE="$(CATALOGUE)" SETS="$(SETS)" ROWS="$(ROWS)" RIVALS="$(RIVALS)" \
	  WORDS="$(WORDS)" tools/bench_spelling.sh

check:
	@tools/check.sh

format:
	@git ls-files '*.h' '*.cc' | xargs clang-format-19 -i

clean:
	rm -rf build
