#!/usr/bin/env bash
# Fuzzes every parser with libFuzzer and writes packaging/reports/fuzz.md.
#   packaging/fuzz.sh [SECONDS_PER_TARGET=600] [TARGET...]
# Needs a nightly toolchain and cargo-fuzz (cargo install cargo-fuzz). Findings land in engine/fuzz/artifacts/TARGET: minimise
# them (cargo +nightly fuzz tmin), mend the parser, and keep the input in engine/fuzz/regressions/TARGET, which `make test` replays.
set -euo pipefail
cd "$(dirname "$0")/../engine"
seconds=${1:-600}
shift || true
cargo fuzz --version >/dev/null 2>&1 || { echo "fuzz: cargo-fuzz is missing; install it with: cargo install cargo-fuzz" >&2; exit 1; }
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo fuzz list)

cargo +nightly fuzz build
logs=$(mktemp -d)
run_one() {
  mkdir -p "fuzz/corpus/$1"
  cargo +nightly fuzz run "$1" "fuzz/corpus/$1" "fuzz/seeds/$1" -- -max_total_time="$seconds" -max_len=16384 -rss_limit_mb=2048 -timeout=60 -print_final_stats=1 >"$logs/$1" 2>&1 \
    && echo clean >"$logs/$1.state" || echo finding >"$logs/$1.state"
}
# Two at a time: one a core on the machines this runs on.
for t in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
  run_one "$t" &
done
wait

report=../packaging/reports/fuzz.md
mkdir -p ../packaging/reports
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
