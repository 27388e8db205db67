#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the named Debian packages where they are missing: as root directly, with sudo
# otherwise, else one clear line. Fetches nothing when all are there.
set -eu
missing=""
for package in "$@"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "sealtrail: this machine has no apt-get; please install:$missing" >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "sealtrail: please install as root: apt-get install$missing" >&2
        exit 1
    fi
    as_root="sudo"
fi
echo "installing Debian packages:$missing"
install="apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends"
# shellcheck disable=SC2086
$as_root $install $missing >/dev/null 2>&1 || {
    $as_root apt-get update -qq >/dev/null
    $as_root $install $missing >/dev/null
}
