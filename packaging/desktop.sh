#!/usr/bin/env bash
# Measures the release build under Xvfb with software Vulkan: start to first frame, idle cost with and without a window, memory.
# Writes packaging/reports/desktop.md. Run it on a quiet machine.
#   packaging/desktop.sh [BINARY=target/release/onebit]
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${1:-}" ]; then cargo build --locked --release --package onebit; fi
binary=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/release/onebit}")
cargo test --locked --workspace --test e2e --no-run
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ONEBIT_BINARY=$binary cargo test --locked --workspace --test e2e -- --ignored --nocapture --exact measure::start_idle_and_memory | tee "$log"
{
  echo "# The application at rest and at its start"
  echo
  echo "Made by the measurement that \`make desktop-report\` runs, on $(date -u +%F), commit $(git rev-parse --short HEAD): release build, Xvfb 1280x800, software Vulkan,"
  echo "$(nproc) cores of $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n1). Start is from the start of the process to the beginning of the second pass,"
  echo "by when the first picture is on the screen; the machine's caches are warm."
  echo
  echo "| what | measured |"
  echo "|---|---|"
  grep '^| ' "$log"
} >packaging/reports/desktop.md
cat packaging/reports/desktop.md
