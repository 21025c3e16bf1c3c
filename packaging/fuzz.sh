#!/usr/bin/env bash
# Fuzzes every parser with libFuzzer and writes packaging/reports/fuzz.md.
#   packaging/fuzz.sh [SECONDS_PER_TARGET=600] [TARGET...]
# Needs a nightly toolchain and cargo-fuzz (cargo install cargo-fuzz). Targets are in engine/fuzz and app/fuzz. Findings land in
# artifacts/TARGET there: minimise them (cargo +nightly fuzz tmin), mend the parser, and keep the input in regressions/TARGET, which
# `make test` replays.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
shift || true
cargo fuzz --version >/dev/null 2>&1 || { echo "fuzz: cargo-fuzz is missing; install it with: cargo install cargo-fuzz" >&2; exit 1; }
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(for f in app engine; do cargo fuzz list --fuzz-dir "$f/fuzz"; done)
folder_of() { for f in app engine; do [ -f "$f/fuzz/fuzz_targets/$1.rs" ] && echo "$f/fuzz" && return; done; return 1; }

for t in "${targets[@]}"; do
  folder=$(folder_of "$t") || { echo "fuzz: there is no target $t" >&2; exit 1; }
  cargo +nightly fuzz build --fuzz-dir "$folder" "$t"
done
logs=$(mktemp -d)
run_one() {
  local folder; folder=$(folder_of "$1")
  mkdir -p "$folder/corpus/$1"
  cargo +nightly fuzz run --fuzz-dir "$folder" "$1" "$folder/corpus/$1" "$folder/seeds/$1" -- -max_total_time="$seconds" -max_len=16384 -rss_limit_mb=2048 -timeout=60 -print_final_stats=1 >"$logs/$1" 2>&1 \
    && echo clean >"$logs/$1.state" || echo finding >"$logs/$1.state"
}
# Two at a time: one a core on the machines this runs on.
for t in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
  run_one "$t" &
done
wait

report=packaging/reports/fuzz.md
mkdir -p packaging/reports
{
  echo "# Fuzzing"
  echo
  echo "$(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD), \`packaging/fuzz.sh $seconds ${targets[*]}\`, libFuzzer with address sanitiser, $(nproc) cores."
  echo
  echo "| target | seconds | executions | coverage edges | result |"
  echo "|---|---|---|---|---|"
  for t in "${targets[@]}"; do
    execs=$(sed -nE 's/^stat::number_of_executed_units: +([0-9]+)/\1/p' "$logs/$t" | tail -n1)
    cov=$(sed -nE 's/.* cov: ([0-9]+).*/\1/p' "$logs/$t" | tail -n1)
    echo "| $t | $seconds | ${execs:--} | ${cov:--} | $(cat "$logs/$t.state") |"
  done
} >"$report"
cat "$report"
if grep -lx finding "$logs"/*.state >/dev/null 2>&1; then
  for f in $(grep -lx finding "$logs"/*.state); do tail -n 30 "${f%.state}"; done
  exit 1
fi
