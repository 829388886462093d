#!/bin/sh
# need_root.sh TARGET WHY: say in one line that `make TARGET` needs root, before anything is done.
set -eu
[ "$(id -u)" != 0 ] || exit 0
if command -v sudo >/dev/null; then how="sudo make $1"; else how="make $1, as root"; fi
echo "make $1 needs root ($2); run: $how" >&2
exit 77
