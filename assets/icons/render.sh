#!/bin/sh
# Makes the PNG icons of this folder from the SVG. Needs ImageMagick (convert).
set -eu
cd "$(dirname "$0")"
for side in 64 128 256; do
  convert -background none -density 1024 systems._1bit.Desktop.svg -resize "${side}x${side}" -depth 8 -strip -define png:compression-level=9 "onebit-$side.png"
done
