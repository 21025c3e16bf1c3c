#!/bin/sh
# Makes the font files of this folder again. Needs the Debian packages fonts-inter and fonts-jetbrains-mono,
# npm (for @phosphor-icons/web 2.1.2) and pyftsubset (Python package fonttools) on PATH.
# Ligatures and contextual alternates are dropped: code must show `->` and `!=` as typed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Latin, Latin extended, IPA, marks, Greek, Cyrillic, punctuation, sub- and superscripts, currency, letterlike, arrows,
# mathematics, technical, box drawing, blocks, geometric shapes, symbols, dingbats.
text='U+0020-007E,U+00A0-052F,U+1E00-1FFF,U+2000-206F,U+2070-20CF,U+2100-23FF,U+2460-27BF,U+27E0-27FF,U+2900-297F,U+2A00-2AFF,U+FB01-FB02,U+FFFD'
face() { # source target
  pyftsubset "$1" --unicodes="$text" --layout-features='kern,mark,mkmk,ccmp,locl' --no-hinting --desubroutinize \
    --name-IDs='0,1,2,3,4,5,6,13,14' --output-file="$here/$2"
}
inter=/usr/share/fonts/opentype/inter
mono=/usr/share/fonts/truetype/jetbrains-mono
for style in Regular Medium SemiBold Italic; do face "$inter/Inter-$style.otf" "Inter-$style.otf"; done
for style in Regular Medium; do face "$mono/JetBrainsMono-$style.ttf" "JetBrainsMono-$style.ttf"; done

# Only the icons that app/src/theme/icons.rs names; `name hex` lines, regular and fill share their code points.
(cd "$work" && npm pack --silent @phosphor-icons/web@2.1.2 >/dev/null && tar xzf phosphor-icons-web-2.1.2.tgz)
icons=$(sed -n "s/.*'\\\\u{\([0-9a-f]*\)}'.*/U+\1/p" "$here/../../app/src/theme/icons.rs" | paste -sd,)
icon() { # source target
  pyftsubset "$work/package/src/$1" --unicodes="$icons" --layout-features='' --glyph-names --no-hinting --output-file="$here/$2"
}
icon regular/Phosphor.ttf Phosphor-Regular.ttf
icon fill/Phosphor-Fill.ttf Phosphor-Fill.ttf
ls -l "$here"
