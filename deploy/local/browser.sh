#!/bin/sh
# A Chromium and fonts for the browser tests, from Debian's or Ubuntu's packages, where this account may install any. Without one the tests
# are skipped and say so: nothing else needs a browser.
set -eu
for program in chromium chromium-browser google-chrome; do
    if command -v "$program" >/dev/null 2>&1; then
        exit 0
    fi
done
run=
if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "no Chromium here and no right to install one: browser tests will be skipped (apt install chromium fonts-nanum)" >&2
        exit 0
    fi
    run="sudo -n"
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "no Chromium here and no apt-get: browser tests will be skipped" >&2
    exit 0
fi
echo "installing chromium for the browser tests"
if ! { $run apt-get update -qq && $run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-nanum fonts-noto-color-emoji; } >/dev/null 2>&1; then
    echo "Chromium could not be installed: browser tests will be skipped (apt install chromium fonts-nanum)" >&2
fi
