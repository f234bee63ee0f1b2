//! Aggregates of records: what is stored and merged.

use super::record::{ProviderId, Record};
use super::sketch::Sketch;
pub use super::totals::Corrupt;
use super::totals::Totals;
use super::value::{self, Room};
use crate::units::nanos;
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
    #[inline]
    pub fn add(&mut self, record: &Record) {
        self.add_and_tell(record);
    }

    /// The same; tells the number of the bin that its latency fell into, if into any, and the sketch.
    #[inline]
    pub(super) fn add_and_tell(&mut self, record: &Record) -> (Option<i32>, &Sketch) {
        let slot = self.slot(record.provider.0 as usize);
        let totals = slot.get_or_insert_default();
        let latency_ms = nanos(record.latency) as f64 / 1e6;
        totals.count += 1;
        totals.errors += u64::from(!record.success);
        totals.tokens += u64::from(record.tokens);
        totals.latency_sum_ms += latency_ms;
        (totals.latency.add_and_tell(latency_ms), &totals.latency)
    }

    /// Records in this aggregate.
    pub fn count(&self) -> u64 {
        self.providers.iter().flatten().map(|t| t.count).sum()
    }

    /// The text to store, see `value.rs`; providers are named, so that any writer can read them.
    pub fn encode(&self, names: &ProviderNames) -> Vec<u8> {
        value::encode(self.named(names))
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

    /// The totals of each provider, by its name.
    pub(super) fn named<'a>(
        &'a self,
        names: &'a ProviderNames,
    ) -> impl Iterator<Item = (&'a str, &'a Totals)> {
        self.numbered(names).map(|(_, name, totals)| (name, totals))
    }

    /// The same with their numbers.
    pub(super) fn numbered<'a>(
        &'a self,
        names: &'a ProviderNames,
    ) -> impl Iterator<Item = (usize, &'a str, &'a Totals)> {
        let all = self.providers.iter().enumerate();
        all.filter_map(|(i, t)| Some((i, names.name(i), t.as_ref()?)))
    }

    /// Rough size in memory, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let of = |t: &Totals| size_of::<Totals>() + t.latency.memory_bytes();
        self.providers.iter().flatten().map(of).sum()
    }
}
