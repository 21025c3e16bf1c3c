#!/usr/bin/env bash
# Draws the window under Xvfb with software Vulkan, the starter answering, into assets/screenshots.
#   packaging/screenshots.sh [BINARY=target/release/onebit]
# Needs: xvfb xdotool imagemagick mesa-vulkan-drivers. Nothing on the screen is made up: the answers are the starter's.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "${1:-target/release/onebit}")
for tool in Xvfb xdotool import convert; do
  command -v $tool >/dev/null || { echo "screenshots: $tool is missing; install xvfb xdotool imagemagick" >&2; exit 1; }
done
out=assets/screenshots
mkdir -p $out
work=$(mktemp -d)
export XDG_RUNTIME_DIR=$work HOME=$work/home LIBGL_ALWAYS_SOFTWARE=1
unset WAYLAND_DISPLAY
chmod 700 "$work"
mkdir -p "$HOME"
pids=()
finish() { kill "${pids[@]}" 2>/dev/null || true; rm -rf "$work"; }
trap finish EXIT

# open WIDTH HEIGHT: a display of that size with the window filling it
open() {
  Xvfb -displayfd 5 -screen 0 "$1x$2x24" -nolisten tcp 5>"$work/display" 2>/dev/null &
  pids+=($!)
  until [ -s "$work/display" ]; do sleep 0.1; done
  export DISPLAY=:$(cat "$work/display")
  : >"$work/display"
  "$binary" 2>"$work/log" &
  app=$!
  pids+=("$app")
  window=$(timeout 60 xdotool search --sync --onlyvisible --name '1bit' | head -n1)
  xdotool windowmove "$window" 0 0 windowsize "$window" "$1" "$2" windowfocus "$window"
  sleep 3
}
close() { kill "$app"; wait "$app" 2>/dev/null || true; }
say() { xdotool type --delay 40 "$1"; sleep 1; xdotool key Return; sleep "$2"; }
# theme light|dark: for the next start
theme() {
  mkdir -p "$HOME/.config/onebit"
  printf '[appearance]\ntheme = "%s"\n' "$1" >"$HOME/.config/onebit/settings.toml"
}
# page WORDS: by the palette, so that no place on the screen is known here
page() { xdotool key ctrl+k; sleep 1; xdotool type --delay 40 "$1"; sleep 1; xdotool key Return; sleep 2; }
picture() { sleep 1; import -window root png:- | convert - -strip -colors 255 "png8:$out/$1.png"; echo "$out/$1.png"; }

theme light
open 1280 800
picture chat-empty-light
close
open 1280 800
say 'What is the capital of France?' 8
say 'Write a Python function that adds two numbers.' 12
picture chat-light
page 'settings general'
picture settings-light
page 'settings about'
picture about-light
close
theme dark
open 1280 800
picture chat-dark
xdotool key ctrl+i
sleep 1
picture chat-inspector-dark
xdotool key ctrl+i
xdotool key ctrl+k
sleep 1
picture palette-dark
xdotool key Escape
page 'settings general'
picture settings-dark
page 'settings shortcuts'
picture shortcuts-dark
page 'settings log'
picture log-dark
close
open 900 600
say 'What is photosynthesis?' 8
picture chat-900-dark
page 'settings general'
picture settings-900-dark
close
theme light
open 900 600
picture chat-900-light
page 'settings shortcuts'
picture shortcuts-900-light
close
