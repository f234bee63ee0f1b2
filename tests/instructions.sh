#!/usr/bin/env bash
# Instructions that some runs take (callgrind; no noise): none may take a tenth more than what is on record.
#   tests/instructions.sh check     counts, and names every run that takes more
#   tests/instructions.sh record    counts and puts them on record, in tests/data/instructions.csv
# KVPLAN is the binary to try; without it, the release build is made and taken. Without valgrind, `check` says so and is content.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-check}
limits=tests/data/instructions.csv
if ! command -v valgrind >/dev/null; then
  echo "no valgrind: instructions were not counted"
  [ "$mode" = check ] && exit 0 || exit 2
fi
if [ -z "${KVPLAN:-}" ]; then
  cargo build --release --quiet
  KVPLAN=target/release/kvplan
fi

count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$KVPLAN" "$@" -n 1 --threads 1 --quiet 2>&1 |
    sed -n 's/.*Collected : //p'
}

failed=0
if [ "$mode" = record ]; then echo "run,instructions" >"$limits"; fi
while IFS= read -r run; do
  # shellcheck disable=SC2086
  counted=$(count run $run)
  [ -n "$counted" ] || { echo "$run: no count"; exit 2; }
  case $mode in
  record) echo "$run,$counted" >>"$limits" ;;
  check)
    recorded=$(grep -F -- "$run," "$limits" | sed 's/.*,//')
    [ -n "$recorded" ] || { echo "$run: not on record"; exit 2; }
    printf '%-60s %12d, %d on record\n' "$run" "$counted" "$recorded"
    if [ "$counted" -gt $((recorded + recorded / 10)) ]; then
      echo "$run: takes more than a tenth more"
      failed=1
    fi
    ;;
  *) echo "expected check or record, found $mode"; exit 2 ;;
  esac
done <<'RUNS'
--traffic 10M --policy optimised
--traffic 100M --policy optimised --set period.calls=0
--traffic 100k --policy naive
--traffic 1M --policy naive
--scenario fleet-20 --traffic 1M --policy optimised-fleet
RUNS
exit $failed
