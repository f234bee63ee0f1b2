#!/usr/bin/env bash
# kvplan beside nexosim and SimPy, on the same model: rates and ratios of one run, after a look whether it is the same
# model. Everything goes to target. Needs Python 3.11 or later with venv; takes about a minute when all is built.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=target/peers
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check simpy==4.1.2
loop=$(cargo build --profile bench -p kvplan-simulator --bench throughput --message-format=json-render-diagnostics |
  "$work/venv/bin/python" -c '
import json, sys
built = [json.loads(line) for line in sys.stdin]
print(next(b["executable"] for b in built if b.get("target", {}).get("name") == "throughput"))')
# As it is shipped.
cargo build --release --bin kvplan
cargo build --release --manifest-path benches/peers/Cargo.toml --target-dir "$work"
"$work/venv/bin/python" benches/peers/compare.py target/release/kvplan "$loop" "$work/release/kvplan-peers" "$work"
