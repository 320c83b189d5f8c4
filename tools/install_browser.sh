#!/bin/sh
# A Chromium for the console's tests: one on PATH, or playwright's own, or, for root on Debian and its
# kin (a container, as a rule), the distribution's. Fails if none can be had; the tests then skip.
set -u
within() { # seconds, command: macOS has no timeout
    if command -v timeout >/dev/null; then timeout "$@"; else shift && "$@"; fi
}
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
echo "setup: chromium"
within 300 .venv/bin/playwright install --only-shell chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    install="apt-get install --yes --quiet --no-install-recommends chromium"
    export DEBIAN_FRONTEND=noninteractive
    within 300 $install >/dev/null 2>&1 && exit 0
    within 120 apt-get update --quiet >/dev/null 2>&1 && within 300 $install >/dev/null 2>&1 && exit 0
fi
exit 1
