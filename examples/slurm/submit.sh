#!/usr/bin/env bash
# Submits a sweep as a job array, and the merge that waits for all of its tasks. Options for
# sbatch come before --, those of kvplan sweep after it:
#   KVPLAN_OUT=/shared/results ./submit.sh --array=1-16 -- --scenario production-10m -n 100
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
sbatch_options=()
while [ $# -gt 0 ] && [ "$1" != "--" ]; do
  sbatch_options+=("$1")
  shift
done
[ $# -gt 0 ] && shift
array=$(sbatch --parsable "${sbatch_options[@]}" "$here/sweep-array.sbatch" "$@")
merge=$(sbatch --parsable --dependency="afterok:$array" "$here/merge.sbatch")
echo "sweep: job array $array; merge: job $merge; results: ${KVPLAN_OUT:-results}"
