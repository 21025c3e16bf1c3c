#!/usr/bin/env bash
# The whole program under Xvfb with software Vulkan and a private session bus, against the real engine and the bundled starter:
# app/tests/e2e. `make test` runs the same; this is the short way to it.
#   packaging/e2e.sh [NAME OF A TEST]
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in Xvfb openbox xdotool dbus-daemon weston; do
  command -v $tool >/dev/null || { echo "e2e: $tool is missing; install xvfb openbox xdotool dbus weston" >&2; exit 1; }
done
started=$SECONDS
cargo test --locked --workspace --test e2e -- --nocapture "$@"
echo "e2e: $((SECONDS - started)) s, building included"
