#!/bin/sh
# progress.sh WHAT COMMAND...: say WHAT and run COMMAND; on a terminal the seconds are counted meanwhile.
set -u
what=$1
shift
if [ ! -t 1 ]; then
    echo "* $what"
    exec "$@"
fi
printf '* %s' "$what"
(
    seconds=0
    while sleep 1; do
        seconds=$((seconds + 1))
        printf '\r* %s (%d s)' "$what" "$seconds"
    done
) &
counting=$!
trap 'kill "$counting" 2>/dev/null' EXIT
code=0
"$@" || code=$?
printf '\n'
exit "$code"
