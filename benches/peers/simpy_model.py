"""The model that compare.py describes, simulated by SimPy: `simpy_model.py MODEL.json SEED` prints what was
counted as one line of JSON, with the processor time of the simulation alone (`cpu_s`).

Sources, flush timers, writes and reads are processes, as in the examples of SimPy; what takes no time is a call.
"""

import json
import math
import sys
import time
from random import Random

import simpy

METRICS, ANALYTICS, HEALTH = range(3)


class Bins:
    """Counts by size, in bins of two per cent."""

    def __init__(self):
        self.zeros = 0
        self.counts = {}

    def add(self, ms):
        if ms <= 0.0:
            self.zeros += 1
            return
        bin_ = int(math.log(ms) * 50.0)
        self.counts[bin_] = self.counts.get(bin_, 0) + 1


class Total:
    """What is stored of a provider's requests."""

    def __init__(self):
        self.requests = 0
        self.failures = 0
        self.tokens = 0
        self.latency_ms = 0.0
        self.latencies = Bins()

    def add(self, latency_ms, success, tokens):
        self.requests += 1
        self.failures += not success
        self.tokens += tokens
        self.latency_ms += latency_ms
        self.latencies.add(latency_ms)


def lognormal(random, of):
    return of["median"] * math.exp(of["sigma"] * random.gauss(0.0, 1.0))


def draw_s(random, parts):
    """How long an operation takes, in seconds: of one of the parts, by their shares."""
    u = random.random() if len(parts) > 1 else 0.0
    for part in parts:
        if u < part["share"]:
            break
        u -= part["share"]
    if "low" in part:
        return random.uniform(part["low"], part["high"]) / 1e3
    return lognormal(random, part) / 1e3


class Gateway:
    """Gathers records into batches, and answers reads of the metrics from a cache."""

    def __init__(self, env, model, random):
        self.env = env
        self.random = random
        self.batch_records = model["batch_records"]
        self.batch_age_s = model["batch_age_s"]
        self.ttl_s = model["cache_ttl_s"]
        self.keys = model["keys"]
        self.read_parts = model["read"]
        self.write_parts = model["write"]
        self.batch = []
        self.number = 0
        self.written = 0
        self.totals = [Total() for _ in model["providers"]]
        self.fresh_until = [0.0, 0.0]
        self.latencies = [Bins() for _ in range(3)]
        self.begin()

    def begin(self):
        self.requests = self.lookups = self.hits = self.writes = self.store_reads = 0

    def request(self, record):
        self.requests += 1
        self.batch.append(record)
        if len(self.batch) == 1:
            self.env.process(self.flush_when_old(self.number))
        elif len(self.batch) == self.batch_records:
            self.flush()
        self.look_up(0, METRICS)

    def flush_when_old(self, number):
        yield self.env.timeout(self.batch_age_s)
        if number == self.number:
            self.flush()

    def flush(self):
        self.number += 1
        for provider, latency_ms, success, tokens in self.batch:
            self.totals[provider].add(latency_ms, success, tokens)
        self.batch.clear()
        self.writes += 1
        self.env.process(self.write())

    def write(self):
        yield self.env.timeout(draw_s(self.random, self.write_parts))
        self.written += 1

    def look_up(self, window, call):
        self.lookups += 1
        if self.env.now < self.fresh_until[window]:
            self.hits += 1
            self.latencies[call].add(0.0)
            return
        self.store_reads += self.keys[window]
        self.env.process(self.read(window, call))

    def read(self, window, call):
        since = self.env.now
        yield self.env.timeout(draw_s(self.random, self.read_parts))
        self.fresh_until[window] = self.env.now + self.ttl_s
        self.latencies[call].add((self.env.now - since) * 1e3)


def requests(env, model, gateway, random):
    """Requests to be recorded, by a Poisson process."""
    per_s = model["requests_per_s"]
    providers = model["providers"]
    while True:
        yield env.timeout(random.expovariate(per_s))
        u = random.random()
        for provider, of in enumerate(providers):
            if u < of["share"]:
                break
            u -= of["share"]
        success = random.random() < of["success"]
        latency_ms = lognormal(random, of["latency"])
        gateway.request((provider, latency_ms, success, int(lognormal(random, of["tokens"]))))


def calls(env, per_s, look_up, random):
    """Calls that bring nothing with them, by a Poisson process."""
    while True:
        yield env.timeout(random.expovariate(per_s))
        look_up()


def main():
    _, path, seed = sys.argv
    with open(path, encoding="utf-8") as file:
        model = json.load(file)
    stream = lambda n: Random(int(seed) * 16 + n)
    before = time.process_time()
    env = simpy.Environment()
    gateway = Gateway(env, model, stream(3))
    env.process(requests(env, model, gateway, stream(0)))
    env.process(calls(env, model["queries_per_s"], lambda: gateway.look_up(1, ANALYTICS), stream(1)))
    env.process(calls(env, model["health_per_s"], lambda: gateway.look_up(0, HEALTH), stream(2)))
    env.run(until=model["warm_up_s"])
    gateway.begin()
    env.run(until=model["warm_up_s"] + model["seconds"])
    counted = {name: getattr(gateway, name) for name in ["requests", "lookups", "hits", "writes", "store_reads"]}
    print(json.dumps(counted | {"cpu_s": time.process_time() - before}))


main()
