//! What a run is going to take, estimated before it begins.
//!
//! The estimate is a sum of arrivals and of what each brings about on average; it looks at the settings only, draws
//! nothing and takes no time. It is meant to tell minutes from weeks: against what is counted in runs it is
//! right within a factor of [`FACTOR`]. What fails and is tried again, as often as a policy says, comes on top.

use super::history::adds_up;
use super::scenario::Scenario;
use crate::models::quantity::{Count, Rate};
use crate::telemetry::policy::{Aggregation, Discover, KeyLayout, Policy};
use std::fmt;

/// How far from what is counted an estimate may be, on either side.
pub const FACTOR: f64 = 4.0;

/// Events that one core simulates in a second, roughly: between a third of that, where every request writes and every
/// query lists the keys of a fleet, and four times as many, where most is answered from a cache (`cargo bench`).
pub const EVENTS_PER_SECOND: f64 = 1e6;

/// What work takes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Effort {
    /// Arrivals, and waits that end: what is simulated one by one.
    pub events: f64,
    /// Bytes held in memory at once.
    pub memory: f64,
    /// Bytes written to disk.
    pub files: f64,
}

/// As much as is done without being asked for: about half a day of one core.
pub const MOST: Effort = Effort {
    events: 20e9,
    memory: 4e9,
    files: 10e9,
};

/// What one replication takes.
#[derive(Debug, Clone, Copy)]
struct Replication {
    events: f64,
    /// While it is simulated.
    memory: f64,
    /// What is kept of it.
    kept: f64,
}

/// The program, with the charts that it draws at the end.
const BYTES_OF_PROGRAM: f64 = 60e6;
/// An isolate, and what the simulator itself needs.
const BYTES_OF_ISOLATE: f64 = 20_000.0;
const BYTES_OF_RUN: f64 = 4e6;
/// A key with what is known of it, and what each record adds to its value, until that has a bin for every latency.
const BYTES_OF_KEY: f64 = 400.0;
const BYTES_OF_RECORD: f64 = 20.0;
const MOST_BYTES_OF_KEY: f64 = 1_500.0;
/// The values of a replication without its latencies, and a bin of latencies.
const BYTES_OF_OUTCOME: f64 = 5_000.0;
const BYTES_OF_BIN: f64 = 16.0;
/// Most bins that latencies fill.
const MOST_BINS: f64 = 4_000.0;
/// A sample over time, in memory and in its file.
const BYTES_OF_SAMPLE: f64 = 2_500.0;
const BYTES_OF_SAMPLE_ROW: f64 = 600.0;
/// A traced invocation in its file.
const BYTES_OF_TRACE: f64 = 700.0;
/// Charts, and what tells of the run.
const BYTES_OF_RESULTS: f64 = 3e6;

impl Replication {
    fn of(scenario: &Scenario, policy: &Policy, traffic: Count) -> Self {
        let workload = &scenario.workload;
        let period = scenario.horizon(traffic);
        let bucket = policy.layout.bucket.as_secs_f64();
        // A period that is no whole buckets begins within one.
        let bucket_ns = policy.layout.bucket.as_nanos().max(1);
        let whole = period.as_nanos().is_multiple_of(bucket_ns);
        let lead = if whole { 0.0 } else { bucket / 2.0 };
        let seconds = period.as_secs_f64() + scenario.period.before().as_secs_f64() + lead;
        let records_per_s = Rate::per_month(traffic.0 as f64).as_per_second();
        let calls = [
            (workload.metrics_reads, policy.queries.metrics_window),
            (workload.analytics_queries, policy.queries.analytics_window),
            (workload.health_checks, policy.queries.metrics_window),
        ];
        let records = records_per_s * seconds;
        let isolates = isolates(scenario, records_per_s);
        // While there is only history, queries are not let through, and what is stored as totals is not written in batches.
        let history = scenario.period.history.as_secs_f64();
        let asking = (seconds - history).max(0.0);
        let writing = if adds_up(scenario, policy) {
            asking
        } else {
            seconds
        };
        let written = records_per_s * writing;
        // Batches that are full, or old.
        let full = written / f64::from(policy.batch.max_records.max(1));
        let old = isolates * writing / policy.batch.age().as_secs_f64().max(1e-3);
        // No isolate writes sooner than its policy's pause after a write.
        let pause = policy.batch.min_interval.as_secs_f64();
        let paced = isolates * (1.0 + writing / pause.max(1e-9));
        let writes = written.min(full + old).min(paced);
        let mut events = records + 3.0 * writes;
        let (mut queries, mut of_all) = (0.0, 0.0);
        for (calls, window) in calls {
            let n = (calls.per_request * records_per_s + calls.rate.as_per_second()) * seconds;
            let buckets = 1.0 + window.as_secs_f64().min(seconds) / bucket;
            let lists = match (policy.layout.keys, policy.layout.discover) {
                (KeyLayout::Rollup, Discover::Own) | (KeyLayout::Shared, _) => 0.0,
                _ => buckets,
            };
            let keys = match policy.layout.keys {
                KeyLayout::BatchKeys => writes * (window.as_secs_f64() / seconds).min(1.0),
                KeyLayout::Rollup => buckets * isolates,
                KeyLayout::Shared => buckets,
            };
            // A read takes up to a hundred keys. Of those that share an answer of the cache only the first asks.
            let asks = 1.0 + lists + keys / 100.0;
            let ttl = policy.cache.ttl.as_secs_f64().max(1e-3);
            let answered = n * asking / seconds;
            let misses = match policy.cache.enabled {
                true => answered.min(isolates * asking / ttl),
                false => answered,
            };
            // After each write of an aggregate that is kept up to date, each window is read.
            let on_write = match policy.queries.aggregate {
                Aggregation::OnWrite => writes,
                Aggregation::OnQuery => 0.0,
            };
            events += n + (misses + on_write) * asks;
            queries += n;
            of_all += asks;
        }
        if let Some(cron) = &policy.cron {
            events += seconds / cron.every.as_secs_f64().max(1.0) * of_all;
        }
        let stored = policy.layout.retention.as_secs_f64().min(seconds) / seconds.max(1e-9);
        let keys = match policy.layout.keys {
            KeyLayout::BatchKeys => writes * stored,
            _ => isolates * (1.0 + stored * seconds / bucket),
        };
        let in_key = BYTES_OF_RECORD * records * stored / keys.max(1.0);
        let bytes_of_key = (BYTES_OF_KEY + in_key).min(MOST_BYTES_OF_KEY);
        let bins = [records, records, writes, queries, queries, queries];
        let bins: f64 = bins.iter().map(|n| n.min(MOST_BINS)).sum();
        Replication {
            events,
            memory: BYTES_OF_RUN + isolates * BYTES_OF_ISOLATE + keys * bytes_of_key,
            kept: BYTES_OF_OUTCOME + BYTES_OF_BIN * bins,
        }
    }
}

/// Isolates that serve requests at such a rate: all machines, or as many as come to have one.
fn isolates(scenario: &Scenario, records_per_s: f64) -> f64 {
    let machines = f64::from(scenario.fleet.isolates.max(1));
    match &scenario.fleet.life {
        None => machines,
        Some(life) => machines.min(1.0 + records_per_s * life.idle.as_secs_f64()),
    }
}

impl Effort {
    /// What so many replications take of every policy of a scenario, at each of the levels, `threads` of
    /// them at once.
    pub fn of(scenario: &Scenario, levels: &[Count], replications: u64, threads: usize) -> Self {
        let points = levels.iter().flat_map(|level| {
            let policies = scenario.policies.iter();
            policies.map(move |policy| (scenario, policy, *level))
        });
        Effort::of_points(points, replications, threads)
    }

    /// The same of points that may have a scenario each.
    pub fn of_points<'a>(
        points: impl Iterator<Item = (&'a Scenario, &'a Policy, Count)>,
        replications: u64,
        threads: usize,
    ) -> Self {
        let n = replications as f64;
        let mut effort = Effort {
            files: BYTES_OF_RESULTS,
            memory: BYTES_OF_PROGRAM,
            ..Effort::default()
        };
        let (mut largest, mut points_seen) = (0.0_f64, 0.0);
        for (scenario, policy, level) in points {
            let one = Replication::of(scenario, policy, level);
            effort.events += n * one.events;
            effort.memory += n * one.kept;
            // As hexadecimal digits.
            effort.files += 2.0 * n * one.kept;
            largest = largest.max(one.memory);
            points_seen += 1.0;
        }
        effort.memory += largest * (threads.max(1) as f64).min(n * points_seen);
        effort
    }

    /// The same as often as all replications that the scenario's precision may ask for.
    pub fn of_sweep(scenario: &Scenario, levels: &[Count], threads: usize) -> Self {
        let precision = scenario.precision.as_ref();
        let most = precision.map_or(scenario.replications, |p| p.max_replications);
        Effort::of(scenario, levels, u64::from(most), threads)
    }

    /// With so many samples over time of each of so many replications and policies, and so many traces.
    pub fn observed(self, samples: f64, replications: u64, policies: usize, traces: usize) -> Self {
        let policies = policies as f64;
        Effort {
            events: self.events + samples * replications as f64 * policies,
            memory: self.memory + BYTES_OF_SAMPLE * samples * replications as f64 * policies,
            files: self.files
                + (BYTES_OF_SAMPLE_ROW * samples + BYTES_OF_TRACE * traces as f64) * policies,
        }
    }

    /// And as much again of other work.
    pub fn and(self, other: Effort) -> Self {
        Effort {
            events: self.events + other.events,
            memory: self.memory + other.memory,
            files: self.files + other.files,
        }
    }

    /// So many times as much to simulate.
    pub fn times(self, n: f64) -> Self {
        Effort {
            events: self.events * n,
            memory: self.memory * n,
            files: self.files * n,
        }
    }

    /// What goes with so many events at most: more memory and files than [`MOST`] only with more events.
    pub fn most(events: f64) -> Self {
        let factor = (events / MOST.events).max(1.0);
        Effort {
            events,
            ..MOST.times(factor)
        }
    }

    /// The events that it takes to be allowed, see [`Effort::most`].
    pub fn needs(&self) -> f64 {
        let beside = (self.memory / MOST.memory).max(self.files / MOST.files);
        let beside = if beside > 1.0 { beside } else { 0.0 };
        self.events.max(beside * MOST.events)
    }
}

impl fmt::Display for Effort {
    /// `3.1T events, 12 GB of memory and 120 MB of files`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |x: f64, sizes: [(&str, f64); 4]| {
            let fits = sizes.into_iter().find(|(_, size)| x >= *size);
            let (unit, size) = fits.unwrap_or(("", 1.0));
            let (x, decimals) = (x / size, usize::from(x / size < 10.0));
            format!("{x:.decimals$}{unit}")
        };
        let bytes = |x| {
            let sizes = [(" TB", 1e12), (" GB", 1e9), (" MB", 1e6), (" kB", 1e3)];
            short(x, sizes)
        };
        let events = [("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)];
        write!(
            f,
            "{} events, {} of memory and {} of files",
            short(self.events, events),
            bytes(self.memory),
            bytes(self.files)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::fleet::FleetSpec;
    use crate::models::{embedded_names, parse_overrides};
    use crate::run::scenario::HistoryAs;
    use crate::run::{Point, simulate};
    use crate::telemetry::policy::CronPolicy;
    use std::time::Duration;

    /// Those in which nearly everything fails for a while, and is tried again.
    const STORMS: [&str; 2] = ["bad-day", "retry-storm"];

    /// Every other shipped scenario with each of its policies, and every policy on three fleets.
    #[test]
    fn estimates_are_near_what_is_counted() {
        let short = ["period.at_most=\"1 h\"", "period.whole_days=false"].map(str::to_owned);
        let short = parse_overrides(&short).unwrap();
        let mut seen = 0;
        let mut names = embedded_names("scenarios");
        names.retain(|name| !STORMS.contains(&name.as_str()));
        for name in names {
            let mut points = vec![Scenario::load(&name, &[], None, &short)];
            if ["default", "fleet-20", "world"].contains(&name.as_str()) {
                let policies = embedded_names("policies").into_iter();
                points.extend(policies.map(|p| Scenario::load(&name, &[p], None, &short)));
            }
            let both_ways = points.into_iter().flatten().flat_map(|scenario| {
                let mut totals = scenario.clone();
                totals.period.history_as = HistoryAs::Totals;
                let others = (!totals.period.history.is_zero()).then_some(totals);
                std::iter::once(scenario).chain(others)
            });
            for mut scenario in both_ways {
                scenario.period.history = scenario.period.history.min(scenario.period.at_most);
                for policy in &scenario.policies {
                    for traffic in [30_000, 1_000_000].map(Count) {
                        let point = Point {
                            scenario: &scenario,
                            policy,
                            traffic,
                            replication: 0,
                        };
                        let counted = simulate(&point).unwrap().events as f64;
                        let one = Replication::of(&scenario, policy, traffic);
                        let ratio = one.events / counted;
                        let within = (1.0 / FACTOR..FACTOR).contains(&ratio);
                        println!("{ratio:.2} {name} {} {traffic}", policy.name);
                        assert!(
                            within,
                            "{name}, {}, {traffic}: {:.0} estimated, {counted} counted",
                            policy.name, one.events
                        );
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn an_effort_is_told_in_short() {
        let effort = Effort {
            events: 3.14e12,
            memory: 12.3e9,
            files: 999.0,
        };
        let told = "3.1T events, 12 GB of memory and 999 of files";
        assert_eq!(effort.to_string(), told);
    }

    #[test]
    fn little_work_may_take_as_much_memory_as_any() {
        let of = |events, memory| Effort {
            events,
            memory,
            files: 1e6,
        };
        assert_eq!(of(1e3, 3e9).needs(), 1e3);
        assert_eq!(of(1e3, 8e9).needs(), 40e9);
        assert_eq!(Effort::most(40e9).memory, 8e9);
        assert_eq!(Effort::most(1e3).memory, MOST.memory);
    }

    /// Ten hours of one record and one analytics query a second on four isolates, without a cache; a write for each
    /// record, and three hours in a query.
    #[test]
    fn an_estimate_is_the_sum_of_what_comes_and_of_what_that_brings_about() {
        let naive = ["naive".to_owned()];
        let mut scenario = Scenario::load("default", &naive, None, &[]).unwrap();
        let hour = Duration::from_secs(3_600);
        (scenario.period.at_least, scenario.period.at_most) = (10 * hour, 10 * hour);
        scenario.period.warm_up = Duration::ZERO;
        scenario.fleet = FleetSpec::fixed(4);
        scenario.workload.metrics_reads = Default::default();
        scenario.workload.health_checks = Default::default();
        scenario.workload.analytics_queries.per_request = 0.0;
        scenario.workload.analytics_queries.rate = Rate::per_second(1.0);
        let policy = &mut scenario.policies[0];
        policy.queries.metrics_window = hour;
        policy.queries.analytics_window = 2 * hour;
        policy.cron = Some(CronPolicy {
            every: Duration::from_secs(60),
        });
        let near = |found: f64, counted: f64| {
            let ratio = found / counted;
            assert!((ratio - 1.0).abs() < 1e-9, "{found}, {counted}");
        };
        // A query reads the four keys of each bucket: three for analytics, two for each of the others.
        let (of_analytics, of_others) = (1.0 + 12.0 / 100.0, 1.0 + 8.0 / 100.0);
        let asked = 36_000.0 * (1.0 + of_analytics);
        let by_cron = 600.0 * (of_analytics + 2.0 * of_others);
        let events = 36_000.0 * (1.0 + 3.0) + asked + by_cron;
        // Six kinds of latencies, none of which fills more than 4,000 bins of 16 bytes.
        let kept = 5_000.0 + 6.0 * 4_000.0 * 16.0;
        // Each isolate has a key for each hour and one more.
        let memory = 4e6 + 4.0 * 20_000.0 + 4.0 * 11.0 * 1_500.0;
        let month = Count(30 * 86_400);
        let one = Replication::of(&scenario, &scenario.policies[0], month);
        near(one.events, events);
        near(one.kept, kept);
        near(one.memory, memory);
        // Two levels, each twice, three at a time: what is kept goes into a file, two digits for a byte.
        let all = Effort::of(&scenario, &[month, month], 2, 3);
        near(all.events, 4.0 * events);
        near(all.files, 3e6 + 4.0 * 2.0 * kept);
        near(all.memory, 60e6 + 4.0 * kept + 3.0 * memory);
        let at_once = Effort::of(&scenario, &[month, month], 2, 100);
        near(at_once.memory, 60e6 + 4.0 * kept + 4.0 * memory);
    }
}
