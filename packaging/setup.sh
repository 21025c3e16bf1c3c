#!/usr/bin/env bash
# Installs what `make run` or `make test` needs on this machine, or says what to install.
#   packaging/setup.sh run|test
# As root it installs distribution packages; as anybody else it prints the one command that does, and stops before
# anything is half done. Debian and Ubuntu share one table; Fedora and Arch are untested tables.
set -euo pipefail
purpose=${1:?run or test}
rust_needed=1.95

fail() { printf '%s\n' "$*" >&2; exit 1; }

# Build: a C compiler for the bundled SQLite. Run: libraries that the window opens at run time, and a Vulkan or GL driver.
# Test: software Vulkan, a private display with a window manager, a Wayland compositor and a session bus for the end-to-end tests, and Python to fetch the
# test model.
packages_debian() {
  echo gcc libc6-dev make
  echo libxkbcommon0 libxkbcommon-x11-0 libx11-6 libx11-xcb1 libxcursor1 libxi6 libxrandr2 libxcb1 libwayland-client0 libvulkan1 libegl1 libdbus-1-3 mesa-vulkan-drivers
  [ "$purpose" = test ] && echo python3 python3-pip python3-venv ca-certificates git xvfb openbox xdotool dbus weston
  return 0
}
packages_fedora() { # untested
  echo gcc make libxkbcommon libxkbcommon-x11 libX11 libX11-xcb libXcursor libXi libXrandr libxcb libwayland-client vulkan-loader mesa-libEGL dbus-libs mesa-vulkan-drivers
  [ "$purpose" = test ] && echo python3 python3-pip git xorg-x11-server-Xvfb openbox xdotool dbus-daemon weston
  return 0
}
packages_arch() { # untested
  echo gcc make libxkbcommon libxkbcommon-x11 libx11 libxcursor libxi libxrandr libxcb wayland vulkan-icd-loader libglvnd dbus vulkan-swrast
  [ "$purpose" = test ] && echo python python-pip git xorg-server-xvfb openbox xdotool dbus weston
  return 0
}

family=unknown
if [ -r /etc/os-release ]; then
  ids=$(. /etc/os-release; echo "${ID:-} ${ID_LIKE:-}")
  case " $ids " in
    *" debian "*|*" ubuntu "*) family=debian ;;
    *" fedora "*|*" rhel "*) family=fedora ;;
    *" arch "*) family=arch ;;
  esac
fi

missing=()
case $family in
  debian)
    for p in $(packages_debian); do
      dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -q '^installed' || missing+=("$p")
    done
    install=(apt-get install -y --no-install-recommends) ;;
  fedora)
    for p in $(packages_fedora); do rpm -q --whatprovides "$p" >/dev/null 2>&1 || missing+=("$p"); done
    install=(dnf install -y) ;;
  arch)
    for p in $(packages_arch); do pacman -Q "$p" >/dev/null 2>&1 || missing+=("$p"); done
    install=(pacman -S --needed --noconfirm) ;;
  *)
    echo "setup: this distribution has no package table here (Debian, Ubuntu, Fedora and Arch have)." >&2
    echo "setup: going on with what is installed; it needs a C compiler, and to open the window: xkbcommon, X11 or Wayland client libraries, a Vulkan loader and driver." >&2
    command -v cc >/dev/null || fail "setup: no C compiler (cc) found; install one and try again" ;;
esac

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ]; then
    echo "setup: installing ${missing[*]}"
    if [ $family = debian ]; then
      export DEBIAN_FRONTEND=noninteractive
      apt-get update -q >/dev/null || echo "setup: the package lists could not be refreshed; trying with those at hand" >&2
    fi
    "${install[@]}" "${missing[@]}" >/dev/null || fail "setup: installing packages failed; the command was: ${install[*]} ${missing[*]}"
  else
    update=""
    [ $family = debian ] && update="sudo apt-get update && "
    fail "setup: these packages are missing. Install them with

    ${update}sudo ${install[*]} ${missing[*]}

and run the same command again. Nothing has been changed."
  fi
fi

# Rust: the newest stable is enough; an existing older one is updated through rustup, never replaced otherwise.
version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]; }
rust_found() { cargo --version 2>/dev/null | sed -E 's/^cargo ([0-9.]+).*/\1/'; }
found=$(rust_found || true)
if [ -z "$found" ] || ! version_at_least "$rust_needed" "$found"; then
  command -v rustup >/dev/null || fail "setup: Rust $rust_needed or newer is needed (found: ${found:-none}). Install it from https://rustup.rs and run the same command again."
  echo "setup: Rust $rust_needed or newer is needed (found: ${found:-none}); asking rustup for the stable toolchain"
  rustup toolchain install stable --profile minimal --component rustfmt --component clippy || fail "setup: rustup could not install the stable toolchain"
  found=$(rust_found || true)
  { [ -n "$found" ] && version_at_least "$rust_needed" "$found"; } || fail "setup: Rust is still ${found:-absent}; set the stable toolchain as default: rustup default stable"
fi

if [ "$purpose" = test ]; then
  for tool in rustfmt cargo-clippy; do
    command -v $tool >/dev/null || fail "setup: $tool is missing; install it with: rustup component add rustfmt clippy"
  done
  packaging/fetch-test-models.sh
fi
