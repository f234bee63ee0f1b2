#!/usr/bin/env bash
# Installs Slurm and its authentication service, for tests/slurm.rs. Nothing is started here.
set -euo pipefail
if command -v slurmctld && command -v slurmd && command -v sbatch && command -v munged; then
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends slurm-wlm munge >/dev/null
