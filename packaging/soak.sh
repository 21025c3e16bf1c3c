#!/usr/bin/env bash
# 10,000 short requests on the starter model, eight at a time with random cancels, then ten minutes of mixed load.
# Writes packaging/reports/soak.md. Arguments are passed on (see engine/examples/soak.rs).
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --release --locked --package onebit-engine --example soak -- --out packaging/reports/soak.md "$@"
