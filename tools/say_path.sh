#!/bin/sh
# say_path.sh BIN: how to call the `wherry` in BIN, where the shell does not find it by its name.
set -eu
here=$(cd "$1" && pwd)
[ "$(readlink -f "$(command -v wherry 2>/dev/null || echo /nowhere)")" != "$(readlink -f "$here/wherry")" ] || exit 0
echo "The command is $here/wherry; to call it \`wherry\`: make install, or source $here/activate"
