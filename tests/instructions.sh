#!/usr/bin/env bash
# Instructions that the first replication of some runs takes (callgrind; no noise): none may take a tenth more than what is on
# record. They are the simulator's own, of its benchmark, which is built in a third of the time that kvplan takes.
#   tests/instructions.sh check     counts, and names every run that takes more
#   tests/instructions.sh record    counts and puts them on record, in tests/data/instructions.csv
# Without valgrind, `check` says so and is content.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-check}
limits=tests/data/instructions.csv
if ! command -v valgrind >/dev/null; then
  echo "no valgrind: instructions were not counted"
  [ "$mode" = check ] && exit 0 || exit 2
fi
built=$(cargo --color never bench -p kvplan-simulator --bench throughput --no-run 2>&1) || { echo "$built"; exit 2; }
benchmark=$(sed -n 's/.*Executable .*(\(.*\))$/\1/p' <<<"$built")
[ -x "$benchmark" ] || { echo "$built"; exit 2; }

count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$benchmark" "$@" 2>&1 | sed -n 's/.*Collected : //p'
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
    recorded=$(grep -F -- "$run," "$limits" | sed 's/.*,//' || true)
    [ -n "$recorded" ] || { echo "$run: not on record"; exit 2; }
    printf '%-40s %12d, %d on record\n' "$run" "$counted" "$recorded"
    if [ "$counted" -gt $((recorded + recorded / 10)) ]; then
      echo "$run: takes more than a tenth more"
      failed=1
    fi
    ;;
  *) echo "expected check or record, found $mode"; exit 2 ;;
  esac
done <<'RUNS'
default optimised 10M
default optimised 100M period.calls=0
default naive 100k
default naive 1M
fleet-20 optimised-fleet 1M
RUNS
exit $failed
