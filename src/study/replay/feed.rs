//! From the rows of a log to the calls of a replay: window, speed, thinning and copies.

use super::ReplaySpec;
use crate::models::ConfigError;
use crate::run::Phases;
use crate::run::scenario::Scenario;
use crate::sim::random::{StreamRng, Streams};
use crate::units::Timestamp;
use crate::workload::Known;
use crate::workload::trace::{Row, RowKind, TraceReader, TraceStats};
use rand::RngExt;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// A call of the replay, at its time in the simulation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Call {
    pub at: Timestamp,
    pub kind: RowKind,
    /// Number of the fleet's place.
    pub place: Option<u16>,
    pub known: Known,
}

/// What became of the rows that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeedCounts {
    /// Rows before the warm-up or, if there is none, before the start.
    pub early: u64,
    /// Rows read that lie past the end (the rest of the log was not read).
    pub unused: u64,
    /// Copies that would have come past the end.
    pub late: u64,
    /// Rows left out at random.
    pub thinned: u64,
    /// Copies added.
    pub copies: u64,
    /// Calls that were simulated, warm-up and copies among them.
    pub calls: u64,
    /// Recorded requests among them.
    pub records: u64,
    /// Calls from a location that is not among the fleet's places: they got one by its shares.
    pub elsewhere: u64,
}

/// What a look ahead found.
pub(crate) struct Look {
    /// From the first to the last call seen.
    pub span: Duration,
    /// Whether that is all.
    pub whole: bool,
}

/// Calls that are read before the replay starts.
const LOOK_AHEAD: usize = 1 << 16;

/// The calls of a replay, in the order of their times.
pub(crate) struct Feed<'a> {
    reader: TraceReader,
    spec: &'a ReplaySpec,
    /// Names of the fleet's places, and for each location of the log which of them it is.
    places: Vec<String>,
    place_of: Vec<Option<u16>>,
    /// The time in the log that is the same in the simulation.
    anchor: Option<Timestamp>,
    copies: Option<Copies>,
    ahead: VecDeque<Call>,
    first: Timestamp,
    last: Timestamp,
    /// Time of the last row that was copied: copies that come before may go.
    reached: Timestamp,
    ended: bool,
    counts: FeedCounts,
}

/// Copies of calls, or their absence.
struct Copies {
    whole: u32,
    fraction: f64,
    jitter_ns: u64,
    choice: StreamRng,
    delay: StreamRng,
    /// The last record, and the delays of its copies: the calls that came with it share its fate.
    of_record: (Timestamp, Vec<Duration>),
    waiting: BinaryHeap<Delayed>,
    numbered: u64,
}

struct Delayed(Call, u64);

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.0.at, other.1).cmp(&(self.0.at, self.1))
    }
}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Delayed {}

impl Copies {
    /// The streams are those of the first replication: all replications replay the same calls.
    fn new(spec: &ReplaySpec, seed: u64) -> Self {
        let streams = Streams::new(seed, 0);
        Copies {
            whole: spec.amplify.floor() as u32,
            fraction: spec.amplify.fract(),
            jitter_ns: spec.jitter.as_nanos() as u64,
            choice: streams.stream("replay.amplify"),
            delay: streams.stream("replay.jitter"),
            of_record: (Timestamp::EPOCH, Vec::new()),
            waiting: BinaryHeap::new(),
            numbered: 0,
        }
    }

    /// Queues the copies of a call; the first of them comes at its time.
    fn add(&mut self, call: Call) -> usize {
        let delays = match call.kind {
            RowKind::Record => {
                self.of_record = (call.at, self.delays());
                self.of_record.1.clone()
            }
            RowKind::MetricsWithRecord => self.of_record.1.clone(),
            _ if call.at == self.of_record.0 => self.of_record.1.clone(),
            _ => self.delays(),
        };
        for delay in &delays {
            let at = call.at + *delay;
            self.waiting
                .push(Delayed(Call { at, ..call }, self.numbered));
            self.numbered += 1;
        }
        delays.len()
    }

    /// How much later each copy comes; the first at once.
    fn delays(&mut self) -> Vec<Duration> {
        let extra = self.fraction > 0.0 && self.choice.random::<f64>() < self.fraction;
        let n = self.whole + u32::from(extra);
        let delays = (0..n).map(|i| match i {
            0 => Duration::ZERO,
            _ => Duration::from_nanos(self.delay.random_range(0..=self.jitter_ns)),
        });
        delays.collect()
    }
}

impl<'a> Feed<'a> {
    /// The calls of a log as `spec` wants them.
    pub(crate) fn new(reader: TraceReader, scenario: &Scenario, spec: &'a ReplaySpec) -> Self {
        let places = scenario.fleet.places.iter();
        Feed {
            reader,
            places: places.map(|p| p.name.clone()).collect(),
            place_of: Vec::new(),
            anchor: spec.from,
            copies: (spec.amplify != 1.0).then(|| Copies::new(spec, scenario.seed)),
            spec,
            ahead: VecDeque::new(),
            first: Timestamp::EPOCH,
            last: Timestamp::EPOCH,
            reached: Timestamp::EPOCH,
            ended: false,
            counts: FeedCounts::default(),
        }
    }

    /// What became of the rows.
    pub(crate) fn counts(&self) -> FeedCounts {
        self.counts
    }

    /// What the log was like.
    pub(crate) fn stats(&self) -> &TraceStats {
        self.reader.stats()
    }

    /// Reads the beginning, so that the start and something of the length are known.
    ///
    /// # Errors
    /// If the log cannot be used, or has no call in the wanted time.
    pub(crate) fn look_ahead(&mut self) -> Result<Look, ConfigError> {
        while self.ahead.len() < LOOK_AHEAD
            && let Some(call) = self.make_next()?
        {
            self.ahead.push_back(call);
        }
        let (Some(first), Some(last)) = (self.ahead.front(), self.ahead.back()) else {
            let found = match (self.reader.stats().rows, self.counts) {
                (0, _) => "found no rows, expected at least two",
                (_, c) if c.thinned > 0 => {
                    "found no row left after thinning, expected at least two"
                }
                _ => "found no usable row in the time that is replayed, expected at least two",
            };
            return Err(ConfigError::new(self.reader.label(), found));
        };
        self.first = first.at;
        Ok(Look {
            span: last.at.since(first.at),
            whole: self.ahead.len() < LOOK_AHEAD,
        })
    }

    /// When the simulation starts and when the measurement.
    pub(crate) fn timeline(&self) -> Phases {
        let start = match self.spec.from {
            Some(from) => from - self.spec.warm_up,
            None => self.first,
        };
        Phases {
            start,
            queries_from: start,
            origin: start + self.spec.warm_up,
        }
    }

    /// The end of the replay, once all calls were taken: the one given or, if none was, as long
    /// after the last call as calls are apart on average.
    ///
    /// # Errors
    /// If there is no time left that could be measured.
    pub(crate) fn end(&self) -> Result<Timestamp, ConfigError> {
        let end = match self.spec.to {
            Some(to) => self.simulated(to),
            None => {
                let gaps = self.counts.calls.saturating_sub(1).max(1);
                let mean_ns = self.last.since(self.first).as_nanos() as u64 / gaps;
                self.last + Duration::from_nanos(mean_ns)
            }
        };
        if end <= self.timeline().origin {
            let message = "found no time between the start of the measurement and the end of the rows, expected more rows, or a shorter warm-up";
            return Err(ConfigError::new(self.reader.label(), message));
        }
        Ok(end)
    }

    /// The next calls, up to `most`; none at the end.
    ///
    /// # Errors
    /// If the log cannot be used.
    pub(crate) fn next_calls(&mut self, most: usize) -> Result<Vec<Call>, ConfigError> {
        let mut calls = Vec::with_capacity(most);
        while calls.len() < most {
            let next = match self.ahead.pop_front() {
                Some(call) => Some(call),
                None => self.make_next()?,
            };
            let Some(call) = next else {
                break;
            };
            self.last = call.at;
            self.counts.calls += 1;
            self.counts.records += u64::from(call.kind == RowKind::Record);
            calls.push(call);
        }
        Ok(calls)
    }

    fn make_next(&mut self) -> Result<Option<Call>, ConfigError> {
        loop {
            if let Some(copies) = &mut self.copies
                && let Some(next) = copies.waiting.peek()
                && (self.ended || next.0.at <= self.reached)
            {
                let call = copies.waiting.pop().map(|d| d.0);
                if let Some(to) = self.spec.to
                    && call.is_some_and(|c| c.at >= self.simulated(to))
                {
                    self.counts.late += 1;
                    continue;
                }
                return Ok(call);
            }
            if self.ended {
                return Ok(None);
            }
            let Some(row) = self.reader.next_row()? else {
                self.ended = true;
                continue;
            };
            if self.spec.to.is_some_and(|to| row.at >= to) {
                self.counts.unused = 1 + self.reader.waiting() as u64;
                self.ended = true;
                continue;
            }
            self.anchor.get_or_insert(row.at);
            let at = self.simulated(row.at);
            if let Some(from) = self.spec.from
                && at < from - self.spec.warm_up
            {
                self.counts.early += 1;
                continue;
            }
            let call = Call {
                at,
                kind: row.kind,
                place: self.place(&row),
                known: row.known,
            };
            let Some(copies) = &mut self.copies else {
                return Ok(Some(call));
            };
            self.reached = at;
            match copies.add(call) {
                0 => self.counts.thinned += 1,
                n => self.counts.copies += n as u64 - 1,
            }
        }
    }

    /// The time in the simulation that a time in the log becomes.
    fn simulated(&self, at: Timestamp) -> Timestamp {
        let Some(anchor) = self.anchor else {
            return at;
        };
        if self.spec.speed == 1.0 {
            return at;
        }
        let scaled = |d: Duration| {
            Duration::from_nanos((d.as_nanos() as f64 / self.spec.speed).round() as u64)
        };
        if at >= anchor {
            anchor + scaled(at.since(anchor))
        } else {
            anchor - scaled(anchor.since(at))
        }
    }

    /// The fleet's place of a row's location.
    fn place(&mut self, row: &Row) -> Option<u16> {
        let location = usize::from(row.location?);
        if self.places.is_empty() {
            return None;
        }
        while self.place_of.len() <= location {
            let name = &self.reader.locations()[self.place_of.len()];
            let number = self.places.iter().position(|p| p == name);
            self.place_of.push(number.map(|n| n as u16));
        }
        let place = self.place_of[location];
        self.counts.elsewhere += u64::from(place.is_none());
        place
    }
}
