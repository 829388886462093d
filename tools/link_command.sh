#!/bin/sh
# link_command.sh PROGRAM [DIRECTORY]: make PROGRAM found by its name, by a link in /usr/local/bin or ~/.local/bin.
set -eu
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
if [ "$(id -u)" = 0 ]; then default=/usr/local/bin; else default=$HOME/.local/bin; fi
directory=${2:-$default}
link=$directory/$(basename "$program")
mkdir -p "$directory"
if [ -e "$link" ] && [ ! -L "$link" ]; then
    echo "$link is there already and is no link; remove it, or link $program elsewhere yourself" >&2
    exit 1
fi
ln -sfn "$program" "$link"
echo "* $link leads to $program"
case ":$PATH:" in
    *":$directory:"*) ;;
    *) echo "  $directory is not on your PATH yet; add to your shell's profile: export PATH=\"$directory:\$PATH\"" ;;
esac
