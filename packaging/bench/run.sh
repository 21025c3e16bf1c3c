#!/usr/bin/env bash
# Measures llama.cpp and onebit in turns on the same files and writes packaging/reports/bench.md. Called by `make bench-peers`.
# Needs python3 with venv and pip, a C++ compiler and cmake's build tools (pip brings cmake; llama.cpp is built from source with the flags of
# this machine, about 8 minutes the first time) and 4 GB of disk for the made-up models in build/models.
#   packaging/bench/run.sh [--only smollm2,tq2_0,tq2_0-q4_0,tq1_0] [--threads 1,2] [--rounds 3]
# BENCH_PYTHON names a Python that has the packages of requirements.txt already; nothing is installed then.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=build/bench-venv
python=${BENCH_PYTHON:-$venv/bin/python}

fail() { printf 'bench: %s\n' "$*" >&2; exit 1; }
if [ -z "${BENCH_PYTHON:-}" ]; then
  for tool in python3 c++; do
    command -v $tool >/dev/null || fail "$tool is missing; install it and run this again"
  done
  [ -x $python ] || python3 -m venv $venv || fail "python3 cannot make a virtual environment (Debian, Ubuntu: python3-venv)"
  # From source, so that it uses what this processor has; wheels are built for older ones.
  $python -m pip install --quiet --disable-pip-version-check --no-binary llama-cpp-python -r packaging/bench/requirements.txt
fi
"$python" -c 'import gguf, llama_cpp, numpy' || fail "$python lacks packages of packaging/bench/requirements.txt"
command -v cargo >/dev/null || fail "cargo is missing; packaging/setup.sh run installs it"
packaging/fetch-test-models.sh
cargo build --release --locked --package onebit
target=${CARGO_TARGET_DIR:-target}
$python packaging/bench/compare.py --onebit "$target/release/onebit" --models build/models \
  --report packaging/reports/bench.md --command "packaging/bench/run.sh $*" "$@"
