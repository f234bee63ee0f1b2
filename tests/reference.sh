#!/usr/bin/env bash
# Reference outputs: what the same commands write must be the same bytes before and after code is moved.
#   tests/reference.sh check     simulates and names every file whose bytes differ from those on record
#   tests/reference.sh record    simulates and puts them on record, in tests/data/reference.sha256
# KVPLAN is the binary to try; without it, the release build is made and taken.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-check}
record=tests/data/reference.sha256
if [ -z "${KVPLAN:-}" ]; then
  cargo build --release --quiet
  KVPLAN=target/release/kvplan
fi
KVPLAN=$(realpath "$KVPLAN")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Name of the folder, then the command; what it prints is kept beside what it writes.
run() {
  local name=$1
  shift
  mkdir -p "$work/$name"
  local code=0
  (cd "$work" && "$KVPLAN" "$@" >"$name/stdout" 2>"$name/stderr") || code=$?
  # 1 is an answer that is no.
  if [ "$code" -gt 1 ]; then
    echo "$name: exit code $code"
    cat "$work/$name/stderr"
    exit 2
  fi
  echo "exit code $code" >>"$work/$name/stdout"
}
short=(--set 'period.requests="1k"' --set 'period.at_least="1 min"')

run sweep sweep -n 2 --set 'period.requests="2k"' --out sweep
run free sweep --traffic 100k,20M --plan free -n 2 --set 'period.requests="2k"' --out free
run fleet-20 sweep --scenario fleet-20 --traffic 1M,10M -n 2 "${short[@]}" --out fleet-20
run world run --scenario world -n 2 --out world
run policies sweep --scenario policies -n 1 "${short[@]}" --out policies
run lost-updates sweep --scenario lost-updates --traffic 300k -n 2 "${short[@]}" --out lost-updates
run retry-storm run --scenario retry-storm -n 2 --out retry-storm
run stores compare-stores --traffic 1M,10M -n 2 "${short[@]}" --out stores
run verify verify --effort quick -n 2 --out verify
run plan plan --traffic 20M --slo 'p95_metrics<500ms,loss<0.1%,cost<20USD' -n 3 "${short[@]}" --out plan
run breakeven breakeven --traffic 100k..3M -n 3 --set 'period.requests="1k"' --out breakeven
run forecast forecast --traffic 1M --growth 8%/month --months 12 -n 3 --set 'period.requests="1k"' --out forecast
run sensitivity sensitivity -n 2 --morris 2 "${short[@]}" --out sensitivity
run rehearse rehearse -n 1 --out rehearse
run trace trace --traffic 1M --length "6 h" --out trace/requests.csv
run replay replay trace/requests.csv --policy optimised -n 2 --out replay
run fit fit workload trace/requests.csv --name fitted --out fit
for part in 1 2; do
  run "shard-$part" sweep --traffic 100k,1M -n 3 --set 'period.requests="1k"' --shard "$part/2" --out shards
done
run merged merge shards --out merged
run report report sweep --out report/report.html

found=$(cd "$work" && find . -type f ! -name '*.kvshard' | LC_ALL=C sort | xargs sha256sum)
if [ "$mode" = record ]; then
  printf '%s\n' "$found" >"$record"
  echo "$(wc -l <"$record") files on record"
elif diff <(printf '%s\n' "$found") "$record" >"$work/diff"; then
  echo "$(wc -l <"$record") files, all as on record"
else
  sed -n 's/^< [0-9a-f]* */found otherwise or new: /p; s/^> [0-9a-f]* */on record otherwise or gone: /p' "$work/diff"
  exit 1
fi
