#!/usr/bin/env bash
# Draws every pane and main state in both themes at 1280x800 and 900x600 into assets/screenshots as PANE-WIDTH-THEME.png: the whole
# window over the real engine and the starter model, without a display (app/tests/window/pictures). Figures are of answers that the
# starter gave while it was drawn; the other chats are written by hand and have none.
#   packaging/screenshots.sh [PART OF A NAME]
#   packaging/screenshots.sh --states [PART]     states that are seen rarely: empty, refused, very long; into target/states
#   packaging/screenshots.sh --extremes [PART]   the smallest and a large window, the smallest and largest text, into target/extremes
#   packaging/screenshots.sh --comps FOLDER   the pages with the strings of the comps in FOLDER, each beside its comp, into target/comps
# Needs imagemagick and a Vulkan driver (mesa-vulkan-drivers).
set -euo pipefail
cd "$(dirname "$0")/.."
# All pictures together stay below this.
limit_bytes=2000000
command -v convert >/dev/null || { echo "screenshots: convert is missing; install imagemagick" >&2; exit 1; }
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
draw() { # TEST [PART OF A NAME]
  ONEBIT_PICTURES=$fresh ONEBIT_PICTURES_ONLY=${2:-} \
    cargo test --locked --workspace --test window -- --ignored --exact --nocapture "pictures::$1"
}

if [ "${1:-}" = --comps ]; then
  comps=$(realpath "${2:?a folder with comps}")
  draw draw_comps
  mkdir -p target/comps
  for drawn in "$fresh"/*.png; do
    name=$(basename "$drawn")
    convert "$comps/$name" "$drawn" +append "target/comps/$name"
    convert -delay 80 "$comps/$name" "$drawn" -loop 0 "target/comps/${name%.png}.gif"
    cp "$drawn" "target/comps/own-$name"
    echo "target/comps/$name"
  done
  exit
fi

if [ "${1:-}" = --extremes ] || [ "${1:-}" = --states ]; then
  kind=${1#--}
  draw "draw_$kind" "${2:-}"
  mkdir -p "target/$kind"
  cp "$fresh"/*.png "target/$kind/"
  ls "target/$kind"
  exit
fi

draw draw "${1:-}"
out=assets/screenshots
mkdir -p $out
# What is no longer drawn goes, unless only a part was asked for.
[ -n "${1:-}" ] || rm -f $out/*.png
# Each picture gets a palette of its own; flat areas keep their colour, edges of letters lose some of their shades.
for drawn in "$fresh"/*.png; do
  convert "$drawn" -strip +dither -quantize YUV -colors 48 -define png:compression-level=9 -define png:compression-filter=0 "png8:$out/$(basename "$drawn")"
done
bytes=$(cat $out/*.png | wc -c)
echo "screenshots: $(ls $out/*.png | wc -l) pictures, $bytes bytes"
[ "$bytes" -lt $limit_bytes ] || { echo "screenshots: more than $limit_bytes bytes" >&2; exit 1; }
