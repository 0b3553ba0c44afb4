#!/usr/bin/env bash
# Install, as root on Debian, what the live tests stand on. Nothing is started: the tests start what they need.
set -euo pipefail
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive
if ! xargs dpkg -s < packages.txt > /dev/null 2>&1; then
    [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }
    apt-get -qq update
    xargs apt-get -qq install -y --no-install-recommends < packages.txt > /dev/null
fi
