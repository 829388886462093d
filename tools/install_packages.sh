#!/bin/sh
# Install the Debian packages that are missing, and say so; do nothing (quickly) when all are there.
set -eu
missing=""
for package in "$@"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "not installed:$missing; run as root: apt-get install -y$missing" >&2
    exit 1
fi
echo "* Installing$missing"
export DEBIAN_FRONTEND=noninteractive
# Daemons must not be started by their packages: a cluster runs a containerd of its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
log=$(mktemp)
# shellcheck disable=SC2086 -- the list is meant to be split
if ! command -v apt-get >/dev/null; then
    echo "not installed:$missing; there is no apt-get here, so install them the way of this system" >&2
    exit 1
fi
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
