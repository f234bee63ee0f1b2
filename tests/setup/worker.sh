#!/usr/bin/env bash
# Builds the Worker of src/worker: a module with its glue and its wasm, in target/kvplan-worker. For tests/it/cloudflare/worker.rs,
# and for wrangler, whose build command it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
wasm=wasm32-unknown-unknown
build=(build --profile worker -p kvplan-worker --target "$wasm")
out="${CARGO_TARGET_DIR:-target}/$wasm/worker/kvplan_worker.wasm"

# Debian's compiler for browsers has no library for wasm: that is built from its source. Its own folder, as another
# compiler's output is of no use to cargo.
build_with_debian() {
  if ! dpkg -s rustc-web cargo-web rust-web-src lld >/dev/null 2>&1; then
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
      sudo="sudo -n"
    fi
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends \
      rustc-web cargo-web rust-web-src lld
  fi
  out="target/debian/$wasm/worker/kvplan_worker.wasm"
  RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target/debian CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld \
    /usr/bin/cargo "${build[@]}" -Zbuild-std=std,panic_abort
}

if [ -d "$(rustc --print target-libdir --target "$wasm")" ] || timeout 180 rustup target add "$wasm"; then
  cargo "${build[@]}"
else
  build_with_debian
fi
cargo run -q -p kvplan-worker-pack -- "$out" src/worker/shim.js target/kvplan-worker
