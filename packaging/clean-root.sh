#!/usr/bin/env bash
# As root: a fresh Debian in a folder (debootstrap), a fresh clone, a new HOME and an empty target folder; then the two commands
# of the README. The Rust toolchain of this machine is lent to it read-only, since a toolchain cannot be fetched everywhere.
#   packaging/clean-root.sh [SUITE=bookworm] [ROOT=build/clean-root]
# `make run` opens the window on a private display inside and takes a screenshot; packaging/reports/clean-root.md tells what happened.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${1:-bookworm}
root=$(realpath -m "${2:-build/clean-root}")
[ "$(id -u)" = 0 ] || { echo "clean-root: needs root (debootstrap, chroot)" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "clean-root: install debootstrap first: apt-get install debootstrap" >&2; exit 1; }

# gcc and make stand for "a machine with a C compiler"; everything else is left to make.
[ -e "$root/etc/os-release" ] || debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev,make,git "$suite" "$root"
toolchain=$(rustc --print sysroot)
mounts=(proc sys dev)
cleanup() { for m in "$root/opt/rust" "$root/proc" "$root/sys" "$root/dev"; do umount -l "$m" 2>/dev/null || true; done; }
trap cleanup EXIT
mkdir -p "$root/opt/rust"
for m in "${mounts[@]}"; do mount --rbind "/$m" "$root/$m"; mount --make-rslave "$root/$m"; done
mount --bind -o ro "$toolchain" "$root/opt/rust"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
rm -rf "$root/home/newcomer" && mkdir -p "$root/home/newcomer"
git clone -q --no-hardlinks . "$root/home/newcomer/onebit"
commit=$(git -C "$root/home/newcomer/onebit" rev-parse --short HEAD)

inside() {
  chroot "$root" /usr/bin/env -i HOME=/home/newcomer LANG=C.UTF-8 TERM=dumb CI="${CI:-}" \
    PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash -c "cd ~/onebit && $1"
}
started=$SECONDS
inside "make test" 2>&1 | tee "$root/test.log"
test_seconds=$((SECONDS - started))
summary=$(grep -E '^[0-9]+ passed, ' "$root/test.log" | tail -n1)
started=$SECONDS
inside "packaging/setup.sh run && cargo build --release --locked --package onebit"
build_seconds=$((SECONDS - started))
# The display is the test's, not the program's: a newcomer has a desktop.
inside "apt-get install -y --no-install-recommends xvfb imagemagick xdotool >/dev/null && export XDG_RUNTIME_DIR=\$(mktemp -d) && (Xvfb :77 -screen 0 1280x800x24 >/dev/null 2>&1 & echo \$! >/tmp/xvfb.pid) && sleep 2 && export DISPLAY=:77 && (timeout 45 make run >/tmp/run.log 2>&1 &) && sleep 25 && import -window root /tmp/window.png && xdotool search --name '1bit' >/tmp/window.id && kill \$(cat /tmp/xvfb.pid)"
{
  echo "# The two commands in a clean root"
  echo
  echo "$(date -u +%Y-%m-%d), commit $commit, \`packaging/clean-root.sh $suite\`: $(. "$root/etc/os-release"; echo "$PRETTY_NAME") from debootstrap (minbase, gcc, make, git), new HOME, empty target folder, $(nproc) cores, toolchain of the host lent read-only."
  echo
  echo "| command | result | seconds |"
  echo "|---|---|---|"
  echo "| \`make test\` | $summary | $test_seconds |"
  echo "| build of \`make run\` | release build done | $build_seconds |"
  echo "| \`make run\` | window found on a private X display | - |"
} >packaging/reports/clean-root.md
cat packaging/reports/clean-root.md
mkdir -p build && cp "$root/tmp/window.png" build/clean-root-window.png
