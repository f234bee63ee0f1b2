#!/usr/bin/env bash
# Starts Slurm on this machine alone, out of the folder given: munged, slurmctld and slurmd, without
# systemd, cgroups or a database. Use it with SLURM_CONF=FOLDER/slurm.conf; end it with stop.sh.
set -euo pipefail
dir=$1
controller_port=$2
daemon_port=$3
host=$(hostname -s)
mkdir -p "$dir"/{munge,state,spool,log}
chmod 755 "$dir"
# munged insists on folders that nobody else can write.
chmod 755 "$dir/munge"
if [ ! -f "$dir/munge/key" ]; then
  dd if=/dev/urandom of="$dir/munge/key" bs=1024 count=1 status=none
  chmod 400 "$dir/munge/key"
fi
cat >"$dir/slurm.conf" <<CONF
ClusterName=kvplan
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller_port
SlurmdPort=$daemon_port
AuthType=auth/munge
# Requeued jobs wait until credentials have expired.
AuthInfo=socket=$dir/munge/socket,cred_expire=5
CredType=cred/munge
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
JobRequeue=1
KillWait=5
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmctldParameters=enable_configless
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
cat >"$dir/cgroup.conf" <<CONF
CgroupPlugin=cgroup/v1
CONF
munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
  --log-file="$dir/log/munged.log" --seed-file="$dir/munge/seed" --num-threads=2
export SLURM_CONF=$dir/slurm.conf
slurmctld -i -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF" -N "$host"
for _ in $(seq 60); do
  if sinfo --noheader --format=%T 2>/dev/null | grep -q '^idle$'; then
    exit 0
  fi
  sleep 0.5
done
echo "Slurm does not get ready:" >&2
sinfo >&2 || true
tail -n 20 "$dir"/log/*.log >&2 || true
exit 1
