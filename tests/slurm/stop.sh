#!/usr/bin/env bash
# Ends what start.sh has started out of the folder given.
dir=$1
for file in "$dir/slurmd.pid" "$dir/slurmctld.pid" "$dir/munge/pid"; do
  if [ -s "$file" ]; then
    kill "$(cat "$file")" 2>/dev/null
  fi
done
exit 0
