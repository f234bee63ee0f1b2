//! Aggregates of records: what is stored, merged and shown.

use super::record::{ProviderId, Record};
use super::sum::Sum;
pub use super::totals::Corrupt;
use super::totals::Totals;
use super::value::{self, Room};
use crate::units::{Timestamp, nanos};
use serde::Serialize;
use std::cell::OnceCell;
use std::rc::Rc;

/// Names of providers and their numbers.
#[derive(Debug, Clone, Default)]
pub struct ProviderNames(Rc<Vec<String>>);

impl ProviderNames {
    /// The number of `name`, a new one if it is seen for the first time.
    pub fn intern(&mut self, name: &str) -> ProviderId {
        let found = self.0.iter().position(|n| n == name);
        let index = found.unwrap_or_else(|| {
            Rc::make_mut(&mut self.0).push(name.to_owned());
            self.0.len() - 1
        });
        ProviderId(u16::try_from(index).expect("fewer than 65,536 providers"))
    }

    /// The name of a provider, if it has been seen.
    pub fn get(&self, provider: ProviderId) -> Option<&str> {
        self.0.get(provider.0 as usize).map(String::as_str)
    }

    /// All providers seen so far.
    pub fn ids(&self) -> impl Iterator<Item = ProviderId> {
        (0..self.0.len() as u16).map(ProviderId)
    }

    fn name(&self, index: usize) -> &str {
        &self.0[index]
    }
}

/// Totals of any number of records, by provider; merging two gives that of all their records.
#[derive(Clone, Default)]
pub struct Aggregate {
    /// By [`ProviderId`]; `None` where there was no record.
    providers: Vec<Option<Totals>>,
}

impl Aggregate {
    /// Adds one record.
    pub fn add(&mut self, record: &Record) {
        let slot = self.slot(record.provider.0 as usize);
        let totals = slot.get_or_insert_default();
        let latency_ms = nanos(record.latency) as f64 / 1e6;
        totals.count += 1;
        totals.errors += u64::from(!record.success);
        totals.tokens += u64::from(record.tokens);
        totals.latency_sum_ms += latency_ms;
        totals.latency.add(latency_ms);
    }

    /// Records in this aggregate.
    pub fn count(&self) -> u64 {
        self.providers.iter().flatten().map(|t| t.count).sum()
    }

    /// The text to store, see `value.rs`; providers are named, so that any writer can read them.
    pub fn encode(&self, names: &ProviderNames) -> Vec<u8> {
        let all = self.providers.iter().enumerate();
        value::encode(all.filter_map(|(i, t)| Some((names.name(i), t.as_ref()?))))
    }

    /// Reads a stored value; its providers get numbers in `names`.
    ///
    /// # Errors
    /// If it is of no form that was ever written, or damaged.
    pub fn decode(value: &[u8], names: &mut ProviderNames) -> Result<Self, Corrupt> {
        let mut aggregate = Aggregate::default();
        aggregate.add_stored(value, names)?;
        Ok(aggregate)
    }

    /// Adds what a stored value holds, as [`Aggregate::decode`] reads it; nothing if it cannot be read.
    ///
    /// # Errors
    /// As there.
    pub fn add_stored(&mut self, value: &[u8], names: &mut ProviderNames) -> Result<(), Corrupt> {
        self.add_stored_in(&mut Room::default(), value, names)
    }

    /// The same for one of many, which are all read in the same room.
    pub(super) fn add_stored_in(
        &mut self,
        room: &mut Room,
        value: &[u8],
        names: &mut ProviderNames,
    ) -> Result<(), Corrupt> {
        value::read(value, room, |name, totals| {
            let index = names.intern(name).0 as usize;
            match self.slot(index) {
                Some(mine) => mine.add(&totals),
                empty => *empty = Some(totals.to_totals()),
            }
        })
    }

    /// Adds all that another aggregate holds, its providers numbered alike.
    pub fn merge(&mut self, other: &Aggregate) {
        for (index, totals) in other.providers.iter().enumerate() {
            let Some(totals) = totals else { continue };
            match self.slot(index) {
                Some(mine) => mine.merge(totals),
                empty => *empty = Some(totals.clone()),
            }
        }
    }

    fn slot(&mut self, index: usize) -> &mut Option<Totals> {
        if self.providers.len() <= index {
            self.providers.resize(index + 1, None);
        }
        &mut self.providers[index]
    }

    /// What the aggregate says, per provider (in the order of their names) and overall.
    /// `as_of` is when it was read.
    pub fn metrics(self, names: &ProviderNames, as_of: Timestamp) -> Metrics {
        Metrics::of(Rc::new(Sum::known(self, names)), as_of)
    }

    /// The figures of all providers, or of one of them alone.
    fn figures(&self, names: &ProviderNames, only: Option<&str>) -> Figures {
        let named = self.providers.iter().enumerate();
        let named = named.filter_map(|(i, t)| Some((names.name(i), t.as_ref()?)));
        let asked = named.filter(|(name, _)| only.is_none_or(|only| only == *name));
        let (mut all, mut providers) = (Totals::default(), Vec::new());
        for (name, totals) in asked {
            all.merge(totals);
            providers.push(ProviderMetrics::of(name, totals));
        }
        providers.sort_by(|a, b| a.name.cmp(&b.name));
        Figures {
            overall: ProviderMetrics::of("overall", &all),
            providers,
        }
    }

    /// Rough size in memory, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let of = |t: &Totals| size_of::<Totals>() + t.latency.memory_bytes();
        self.providers.iter().flatten().map(of).sum()
    }
}

/// Metrics of one provider, or of all together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderMetrics {
    /// Whose they are.
    pub name: String,
    /// Requests.
    pub count: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Share of the requests that failed; 0 if there were none.
    pub error_rate: f64,
    /// Mean latency; NaN if there were no requests. Percentiles are within 1%.
    pub mean_ms: f64,
    /// Median latency, in milliseconds.
    pub p50_ms: f64,
    /// 95th percentile of the latency, likewise.
    pub p95_ms: f64,
    /// 99th percentile of the latency, likewise.
    pub p99_ms: f64,
    /// Tokens used, summed.
    pub tokens: u64,
}

impl ProviderMetrics {
    fn of(name: &str, t: &Totals) -> Self {
        ProviderMetrics {
            name: name.to_owned(),
            count: t.count,
            errors: t.errors,
            error_rate: t.errors as f64 / t.count.max(1) as f64,
            mean_ms: t.latency_sum_ms / t.count as f64,
            p50_ms: t.latency.quantile(0.50),
            p95_ms: t.latency.quantile(0.95),
            p99_ms: t.latency.quantile(0.99),
            tokens: t.tokens,
        }
    }
}

/// What a query answers; stored values are added up and figures worked out when one is first looked at.
#[derive(Clone)]
pub struct Metrics {
    /// When the stored values were read from which it was computed.
    pub as_of: Timestamp,
    sum: Rc<Sum>,
    /// The name of the provider that they are of, if not of all.
    only: Option<Rc<str>>,
    figures: OnceCell<Figures>,
}

/// The figures of a query, per provider in the order of names and overall.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Of all providers together.
    pub overall: ProviderMetrics,
    /// Of each provider, in the order of names.
    pub providers: Vec<ProviderMetrics>,
}

impl std::ops::Deref for Metrics {
    type Target = Figures;

    fn deref(&self) -> &Figures {
        self.figures.get_or_init(|| {
            let added = self.sum.added();
            added.total.figures(&added.names, self.only.as_deref())
        })
    }
}

impl Metrics {
    /// What a sum says that others may hold, too.
    pub(super) fn of(sum: Rc<Sum>, as_of: Timestamp) -> Self {
        Metrics {
            as_of,
            sum,
            only: None,
            figures: OnceCell::new(),
        }
    }

    /// Works out what it says, if nobody has looked yet.
    pub fn compute(&self) {
        let _: &Figures = self;
    }

    /// The same for one provider alone.
    pub fn only(&self, provider: &str) -> Metrics {
        Metrics {
            as_of: self.as_of,
            sum: Rc::clone(&self.sum),
            only: Some(provider.into()),
            figures: OnceCell::new(),
        }
    }

    /// Rough size in memory, in bytes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Metrics>() + self.sum.total_bytes()
    }
}

impl Figures {
    /// The metrics of one provider, if it had any request.
    pub fn provider(&self, name: &str) -> Option<&ProviderMetrics> {
        self.providers.iter().find(|p| p.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::RELATIVE_ERROR;
    use std::time::Duration;

    fn record(provider: u16, ms: u64, success: bool) -> Record {
        Record {
            at: Timestamp::EPOCH,
            provider: ProviderId(provider),
            latency: Duration::from_millis(ms),
            success,
            tokens: 10,
        }
    }

    fn names() -> ProviderNames {
        let mut names = ProviderNames::default();
        names.intern("openai");
        names.intern("gemini");
        names
    }

    #[test]
    fn merging_two_halves_gives_the_whole() {
        let (mut whole, mut left, mut right) = (
            Aggregate::default(),
            Aggregate::default(),
            Aggregate::default(),
        );
        for i in 0..1_000_u64 {
            let r = record((i % 2) as u16, i + 1, i % 10 != 0);
            whole.add(&r);
            if i < 300 { left.add(&r) } else { right.add(&r) }
        }
        // The other half comes from a writer that numbers the providers its own way.
        let bytes = right.encode(&names());
        let mut mine = names();
        let mut merged = Aggregate::default();
        let left = Aggregate::decode(&left.encode(&names()), &mut mine).unwrap();
        merged.merge(&left);
        let right = Aggregate::decode(&bytes, &mut mine).unwrap();
        merged.merge(&right);
        assert_eq!(
            *merged.metrics(&mine, Timestamp::EPOCH),
            *whole.clone().metrics(&names(), Timestamp::EPOCH)
        );
        let m = whole.metrics(&names(), Timestamp::EPOCH);
        assert_eq!(
            (m.overall.count, m.overall.errors, m.overall.tokens),
            (1_000, 100, 10_000)
        );
        assert!((m.overall.p50_ms / 500.0 - 1.0).abs() < 2.0 * RELATIVE_ERROR);
        assert!((m.overall.mean_ms - 500.5).abs() < 1e-9);
        assert_eq!(m.providers[0].name, "gemini");
    }

    #[test]
    fn nothing_recorded_is_no_error() {
        let m = Aggregate::default().metrics(&names(), Timestamp::EPOCH);
        assert_eq!((m.overall.count, m.overall.error_rate), (0, 0.0));
        assert!(m.overall.p95_ms.is_nan());
    }
}
