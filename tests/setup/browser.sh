#!/usr/bin/env bash
# Chromium for the test that opens a report as a reader does; Debian's package, if there is none yet.
set -euo pipefail
if command -v chromium || command -v chromium-browser || command -v google-chrome; then
  exit 0
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
  sudo="sudo -n"
fi
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium
