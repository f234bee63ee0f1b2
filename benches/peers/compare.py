"""kvplan beside nexosim and SimPy: the same model, checked to be the same, and what a second of processor time
simulates of it in each. `run.sh` has built what is run here.

    compare.py KVPLAN LOOP NEXOSIM WORK

The first three are programs; models and results go to the folder WORK. All take turns, five times, each turn with
random numbers of its own, so that what else a machine does hits all alike; the best turn counts. It fails where
counts differ by more than chance.
"""

import json
import math
import os
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
MODELS = HERE.parent.parent / "models"

TURNS = 5
TRAFFIC_PER_MONTH = 100e6
MONTH_S = 30 * 86_400
# Whole hours begin with a day in kvplan, so that all have the same buckets.
HOURS = 8
# What kvplan simulates before it counts, by default.
WARM_UP_S = 60
# Hours of the windows of metrics and of analytics queries, by default; a key each.
KEYS = [1, 24]
# Counts may differ by so many standard errors of five turns, estimated of those turns, or by a per cent.
ERRORS, SHARE = 4.0, 0.01

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6}
Z99 = statistics.NormalDist().inv_cdf(0.99)


def milliseconds(text):
    number, unit = re.fullmatch(r"([0-9.]+) ?([a-z]+)", text).groups()
    return float(number) * UNITS[unit]


def share(value):
    return float(value.removesuffix("%")) / 100 if isinstance(value, str) else float(value)


def per_second(text):
    number, unit = text.split("/")
    return float(number) / (UNITS[unit] / 1e3)


def simple(dist):
    """A latency that is no mixture, in milliseconds."""
    if dist["kind"] == "uniform":
        return {"low": milliseconds(dist["low"]), "high": milliseconds(dist["high"])}
    assert dist["kind"] == "lognormal", dist
    median = milliseconds(dist["median"])
    return {"median": median, "sigma": math.log(milliseconds(dist["p99"]) / median) / Z99}


def parts(dist):
    """The parts of a latency, with their shares."""
    if dist["kind"] != "mixture":
        return [{"share": 1.0} | simple(dist)]
    return [{"share": share(p["share"])} | simple(p["dist"]) for p in dist["parts"]]


def model():
    """What the default scenario simulates with the policy `optimised`, in plain numbers."""
    load = lambda name: tomllib.loads((MODELS / name).read_text(encoding="utf-8"))
    workload, latency = load("workloads/gateway.toml"), load("latency/kv-2025.toml")
    policy = load("policies/optimised.toml")
    assert workload["metrics_reads"] == {"per_request": 1.0} and "shape" not in workload, "another workload"

    def provider(p):
        tokens = {k: p["tokens"][k] for k in ["median", "sigma"]}
        return {k: p[k] for k in ["share", "success"]} | {"latency": simple(p["latency"]), "tokens": tokens}

    return {
        "warm_up_s": WARM_UP_S,
        "seconds": HOURS * 3_600,
        "requests_per_s": TRAFFIC_PER_MONTH / MONTH_S,
        "queries_per_s": per_second(workload["analytics_queries"]["rate"]),
        "health_per_s": per_second(workload["health_checks"]["rate"]),
        "batch_records": policy["batch"]["max_records"],
        "batch_age_s": milliseconds(policy["batch"]["max_age"]) / 1e3,
        "cache_ttl_s": milliseconds(policy["cache"]["ttl"]) / 1e3,
        "keys": KEYS,
        "providers": [provider(p) for p in workload["providers"]],
        "read": parts(latency["read"]),
        "write": parts(latency["write"]),
    }


def run(*command):
    """What a program prints as JSON, and the processor time that it took, its start with it."""
    with subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE) as process:
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]}: exit code {process.returncode}")
    return json.loads(printed), used.ru_utime + used.ru_stime


def counts_of_kvplan(answer):
    """The counts of a run, of its measures for a month."""
    measures = {row["measure"]: row["optimised"] for row in answer["measures"]}
    part = HOURS * 3_600 / MONTH_S
    requests = measures["requests_per_month"] * part
    # Each request looks up the metrics; queries and health checks are less than a thousandth beside that.
    return {
        "requests": requests,
        "writes": measures["kv_writes_per_month"] * part,
        "misses per lookup": 1.0 - measures["hit_ratio"],
        "store reads": measures["kv_reads_per_month"] * part,
    }


def counts_of_peer(counted):
    return {
        "requests": counted["requests"],
        "writes": counted["writes"],
        "misses per lookup": 1.0 - counted["hits"] / counted["lookups"],
        "store reads": counted["store_reads"],
    }


def differences(ours, theirs, name):
    """Counts of a peer that differ from kvplan's by more than chance, after a line for each."""
    wrong = []
    for count in ours[0]:
        a, b = [c[count] for c in ours], [c[count] for c in theirs]
        mean_a, mean_b = statistics.mean(a), statistics.mean(b)
        error = math.sqrt((statistics.variance(a) + statistics.variance(b)) / TURNS)
        allowed = max(ERRORS * error, SHARE * mean_a)
        is_same = abs(mean_a - mean_b) <= allowed
        print(
            f"  {name}: {count} {mean_b:.7g}, in kvplan {mean_a:.7g}:"
            f" {100 * (mean_b / mean_a - 1):+.2f}%, allowed {100 * allowed / mean_a:.2f}%"
            f"{'' if is_same else '  NOT THE SAME MODEL'}"
        )
        if not is_same:
            wrong.append(f"{name}: {count}")
    return wrong


def main():
    kvplan, loop, nexosim, work = sys.argv[1:]
    path = Path(work) / "model.json"
    path.write_text(json.dumps(model(), indent=1), encoding="utf-8")
    expected = TRAFFIC_PER_MONTH * HOURS * 3_600 / MONTH_S

    def run_kvplan(turn):
        at_least = f'period.at_least="{HOURS} h"'
        options = ["--policy", "optimised", "--traffic", f"{TRAFFIC_PER_MONTH:.0f}", "-n", 1, "-j", 1]
        answer, cpu_s = run(kvplan, "run", *options, "--seed", turn, "--set", at_least, "--format", "json")
        return counts_of_kvplan(answer), cpu_s

    def run_loop(_):
        answer, cpu_s = run(loop, "loop", f"{expected:.0f}")
        return answer, cpu_s

    def run_nexosim(turn):
        answer, cpu_s = run(nexosim, path, turn)
        return counts_of_peer(answer), cpu_s

    def run_simpy(turn):
        answer, _ = run(sys.executable, HERE / "simpy_model.py", path, turn)
        # Without the start of Python, which is none of its doing.
        return counts_of_peer(answer), answer["cpu_s"]

    runs = {"kvplan": run_kvplan, "loop without values": run_loop, "nexosim": run_nexosim, "SimPy": run_simpy}
    counts = {name: [] for name in runs}
    rates = {name: [] for name in runs}
    for turn in range(1, TURNS + 1):
        for name, of in runs.items():
            counted, cpu_s = of(turn)
            counts[name].append(counted)
            rates[name].append(counted["requests"] / cpu_s)
    best = {name: max(r) for name, r in rates.items()}
    print(f"{TRAFFIC_PER_MONTH / 1e6:.0f}M requests a month, {HOURS} hours of them, one core; best of {TURNS}, in turns")
    for name, rate in best.items():
        print(f"  {name}: {rate / 1e6:.2f} M requests per second of processor time")
    for peer in ["nexosim", "SimPy"]:
        print(
            f"  kvplan / {peer}: {best['kvplan'] / best[peer]:.2f};"
            f" loop without values / {peer}: {best['loop without values'] / best[peer]:.2f}"
        )
    print("The same model? Means over the turns, each with its own random numbers")
    wrong = []
    for peer in ["nexosim", "SimPy"]:
        wrong += differences(counts["kvplan"], counts[peer], peer)
    if wrong:
        sys.exit(f"not the same model: {', '.join(wrong)}")


main()
