#!/usr/bin/env bash
# This engine's speeds, one thread and two: the tables of README.md and engine/docs/speed.md. Called by `make bench`.
# Makes up seven models of the BitNet 2B-4T shape in the cache folder (7 GB) and leaves them there.
#   packaging/bench/own.sh [MODEL ...]     with names, only these models
# REPETITIONS (3) and THREADS (1,2) may be set.
set -euo pipefail
cd "$(dirname "$0")/../.."
smollm2=build/models/smollm2-135m-instruct-q4_1.gguf
models=("$@")
if [ $# -eq 0 ]; then
  packaging/fetch-test-models.sh
  models=(starter $smollm2)
  for packing in tq2_0+q4_0 tq2_0 tq1_0+q4_0 i2_s+q4_0 halo tq1_halo sherry; do
    models+=("synthetic:bitnet-2b:$packing")
  done
fi
cargo build --release --locked --package onebit
onebit=${CARGO_TARGET_DIR:-target}/release/onebit
for model in "${models[@]}"; do
  new=128 head=screened
  case $model in
    *:halo | *:tq1_halo | *:sherry) new=32 head=4-bit ;;
    synthetic:bitnet-2b:*) new=32 ;;
  esac
  "$onebit" bench -m "$model" -p 512 -n $new -r "${REPETITIONS:-3}" --threads "${THREADS:-1,2}" --head $head
  echo
done
