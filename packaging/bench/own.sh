#!/usr/bin/env bash
# This engine's speeds, one thread and two: the tables of README.md and engine/docs/speed.md. Called by `make bench`.
# Prints the tables, and writes them to build/bench-own.txt as they come, so that a failure loses none that is done.
# Makes up eight models of the BitNet 2B-4T shape in the cache folder (8 GB) and leaves them there.
#   packaging/bench/own.sh [MODEL ...]     with names, only these models
# REPETITIONS (3) and THREADS (1,2) may be set. About 7 minutes on two cores (measured, models made included).
set -euo pipefail
cd "$(dirname "$0")/../.."
smollm2=build/models/smollm2-135m-instruct-q4_1.gguf
report=build/bench-own.txt

fail() { printf 'bench: %s\n' "$*" >&2; exit 1; }
command -v cargo >/dev/null || fail "cargo is missing; packaging/setup.sh run installs it"
models=("$@")
if [ $# -eq 0 ]; then
  packaging/fetch-test-models.sh
  models=(starter $smollm2)
  for packing in tq2_0+q4_0 tq2_0 tq1_0+q4_0 i2_s+q4_0 halo tq1_halo sherry; do
    models+=("synthetic:bitnet-2b:$packing")
  done
  models+=(depths)
fi
cargo build --release --locked --package onebit
onebit=${CARGO_TARGET_DIR:-target}/release/onebit
mkdir -p build
{
  printf '%s, commit %s, %s\n' "$("$onebit" --version)" "$(git rev-parse --short HEAD)" "$(date +%F)"
  grep -m1 '^model name' /proc/cpuinfo || true
} | tee "$report"

failed=()
for model in "${models[@]}"; do
  new=128 head=screened
  case $model in
    *:halo | *:tq1_halo | *:sherry) new=32 head=4-bit ;;
    synthetic:bitnet-2b:*) new=32 ;;
  esac
  arguments=(-m "$model" -p 512 -n $new --threads "${THREADS:-1,2}" --head $head)
  if [ "$model" = depths ]; then
    arguments=(-m synthetic:bitnet-2b-8k:tq2_0+q4_0 -p 0 -n 16 -d 64,512,2048,4096 --kv f16,int8 --threads 2)
  fi
  echo | tee -a "$report"
  "$onebit" bench "${arguments[@]}" -r "${REPETITIONS:-3}" | tee -a "$report" || failed+=("$model")
done
printf '\nbench: %s\n' "$report"
[ ${#failed[@]} -eq 0 ] || fail "failed and missing above: ${failed[*]}"
