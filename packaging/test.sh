#!/usr/bin/env bash
# Everything that CI runs, in the order that fails soonest. Called by `make test` after packaging/setup.sh.
# Ends with one line "N passed, N failed, N skipped" summed over all test binaries.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS
step() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - started)); }

step "formatting"
cargo fmt --all --check
step "structure"
cargo xtask tidy
step "build"
cargo test --locked --workspace --no-run
step "tests"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
cargo test --locked --workspace --no-fail-fast 2>&1 | tee "$log" || status=$?
step "lints"
lints=0
cargo clippy --locked --workspace --all-targets -- -D warnings || lints=$?

step "summary"
# Without CI=true a test whose model is missing says so and passes; with CI=true it fails, so nothing hides in this sum.
awk -v lints="$lints" '
  /^test result:/ { for (i = 1; i <= NF; i++) { if ($i == "passed;") p += $(i-1); if ($i == "failed;") f += $(i-1); if ($i == "ignored;") s += $(i-1) } }
  END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit (f > 0 || p == 0) }' "$log" || status=1
exit $((status != 0 || lints != 0))
