#!/usr/bin/env bash
# Installs the local Workers runtime for tests/it/cloudflare/contract.rs, in the versions of the lock file.
set -euo pipefail
cd "$(dirname "$0")/../miniflare"
if [ -d node_modules/miniflare ] && [ node_modules/.package-lock.json -nt package-lock.json ]; then
  exit 0
fi
if ! { command -v node && command -v npm; } >/dev/null; then
  sudo=""
  if [ "$(id -u)" -ne 0 ]; then
    sudo="sudo -n"
  fi
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends nodejs npm
fi
# The runtime needs no script of a package: its programs come as packages of their own.
npm ci --ignore-scripts --no-audit --no-fund
