#!/usr/bin/env bash
# Builds the program twice from nothing, in two folders, and compares the bytes. It takes two release builds.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for build in a b; do
  CARGO_TARGET_DIR="$work/$build" cargo build --release --locked --quiet
done
sha256sum "$work"/{a,b}/release/kvplan | sed "s,$work/,,"
cmp "$work/a/release/kvplan" "$work/b/release/kvplan"
echo "the same bytes"
