//! What can be billed, and how much of it was used.

use crate::models::ValueError;
use crate::models::nearest::nearest;
use crate::telemetry::ports::OpKind;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What a whole number of an item stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things: operations, requests, rows, events.
    Count,
    /// Bytes (1 GB is 1,000,000,000); of what is stored, the average over the month.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Megabyte-milliseconds (1 GB-s is 1,000,000).
    MegabyteMs,
}

/// The one table of items: each with its doc comment, name in catalogs and unit.
macro_rules! meters {
    ($($(#[$doc:meta])* $item:ident = $name:literal, $unit:ident;)*) => {
        /// Something that a catalog may put a price on.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[non_exhaustive]
        pub enum MeterItem {
            $($(#[$doc])* #[serde(rename = $name)] $item,)*
        }

        impl MeterItem {
            /// All items, in the order of invoices.
            pub const ALL: [MeterItem; [$($name),*].len()] = [$(MeterItem::$item),*];

            /// Name as in catalogs: `kv.reads`.
            pub fn name(self) -> &'static str {
                match self {
                    $(MeterItem::$item => $name,)*
                }
            }

            /// What is counted.
            pub fn unit(self) -> Unit {
                match self {
                    $(MeterItem::$item => Unit::$unit,)*
                }
            }
        }
    };
}

meters! {
    /// Keys read from Workers KV.
    KvReads = "kv.reads", Count;
    /// Writes to Workers KV.
    KvWrites = "kv.writes", Count;
    /// Deletes in Workers KV.
    KvDeletes = "kv.deletes", Count;
    /// Lists of keys of Workers KV.
    KvLists = "kv.lists", Count;
    /// Bytes stored, on average over the month.
    KvStorage = "kv.storage", Bytes;
    /// Bytes read; priced only by the seed document.
    KvReadBytes = "kv.read_bytes", Bytes;
    /// Bytes written; priced only by the seed document.
    KvWriteBytes = "kv.write_bytes", Bytes;
    /// Invocations of Workers.
    WorkersRequests = "workers.requests", Count;
    /// CPU time of Workers.
    WorkersCpuMs = "workers.cpu_ms", Milliseconds;
    /// Events that Workers Logs has written.
    WorkersLogEvents = "workers.log_events", Count;
    /// Requests whose trace events Logpush has sent.
    WorkersLogpush = "workers.logpush", Count;
    /// Requests to Durable Objects.
    DoRequests = "do.requests", Count;
    /// Megabyte-milliseconds that objects were active (1 GB-s is 1,000,000).
    DoDurationMbMs = "do.duration_mb_ms", MegabyteMs;
    /// Rows that Durable Objects read.
    DoRowsRead = "do.rows_read", Count;
    /// Rows that Durable Objects wrote.
    DoRowsWritten = "do.rows_written", Count;
    /// Bytes stored by Durable Objects, on average over the month.
    DoStorage = "do.storage", Bytes;
    /// R2: writes and lists.
    R2ClassA = "r2.class_a", Count;
    /// R2: reads.
    R2ClassB = "r2.class_b", Count;
    /// R2: bytes stored, on average over the month.
    R2Storage = "r2.storage", Bytes;
    /// R2 Infrequent Access: writes and lists.
    R2IaClassA = "r2_ia.class_a", Count;
    /// R2 Infrequent Access: reads.
    R2IaClassB = "r2_ia.class_b", Count;
    /// R2 Infrequent Access: bytes stored, each object for 30 days at least.
    R2IaStorage = "r2_ia.storage", Bytes;
    /// R2 Infrequent Access: bytes read.
    R2IaRetrieval = "r2_ia.retrieval", Bytes;
    /// Operations of Queues: writes, reads and deletes of messages.
    QueuesOperations = "queues.operations", Count;
    /// Data points written to Analytics Engine.
    AeDataPoints = "ae.data_points", Count;
    /// Queries of Analytics Engine.
    AeReadQueries = "ae.read_queries", Count;
    /// Rows that D1 read.
    D1RowsRead = "d1.rows_read", Count;
    /// Rows that D1 wrote.
    D1RowsWritten = "d1.rows_written", Count;
    /// Bytes stored by D1, on average over the month.
    D1Storage = "d1.storage", Bytes;
    /// Bytes of logs and traces taken in.
    ObservabilityIngest = "observability.ingest", Bytes;
    /// Bytes of logs and traces that can be queried, on average over the month.
    ObservabilityStorage = "observability.storage", Bytes;
    /// Cache Reserve: writes.
    CacheReserveClassA = "cache_reserve.class_a", Count;
    /// Cache Reserve: reads.
    CacheReserveClassB = "cache_reserve.class_b", Count;
    /// Cache Reserve: bytes stored, on average over the month.
    CacheReserveStorage = "cache_reserve.storage", Bytes;
    /// KV Instant (beta): puts, deletes and lists.
    KvInstantClassA = "kv_instant.class_a", Count;
    /// KV Instant (beta): keys read.
    KvInstantClassB = "kv_instant.class_b", Count;
    /// KV Instant (beta): bytes stored, on average over the month.
    KvInstantStorage = "kv_instant.storage", Bytes;
}

impl MeterItem {
    /// Whether any simulation counts it. What others cost can be said of stated usage only, not
    /// that a plan covers them.
    pub fn is_simulated(self) -> bool {
        !matches!(
            self.name().split_once('.'),
            Some((
                "r2_ia" | "observability" | "cache_reserve" | "kv_instant",
                _
            )) | Some(("workers", "log_events" | "logpush"))
        )
    }

    /// The item that counts KV operations of a kind.
    pub fn of_operation(kind: OpKind) -> Self {
        match kind {
            OpKind::Read => MeterItem::KvReads,
            OpKind::Write => MeterItem::KvWrites,
            OpKind::Delete => MeterItem::KvDeletes,
            OpKind::List => MeterItem::KvLists,
        }
    }
}

impl FromStr for MeterItem {
    type Err = ValueError;

    /// The item of that name.
    ///
    /// # Errors
    /// Names the nearest item and lists them all.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let known = MeterItem::ALL.into_iter().find(|i| i.name() == text);
        known.ok_or_else(|| {
            let near = nearest(text, MeterItem::ALL.map(MeterItem::name));
            ValueError::new(format!(
                "found unknown meter \"{text}\"{near}, expected one of: {}",
                names(&MeterItem::ALL)
            ))
        })
    }
}

/// The names of items, one after the other.
pub fn names(items: &[MeterItem]) -> String {
    let names: Vec<&str> = items.iter().map(|i| i.name()).collect();
    names.join(", ")
}

impl fmt::Display for MeterItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whole quantities of each item, used in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage([u128; MeterItem::ALL.len()]);

impl Default for Usage {
    fn default() -> Self {
        Usage([0; MeterItem::ALL.len()])
    }
}

impl Serialize for Usage {
    /// The items that were used, by name: what is written stays readable when items are added.
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let used = MeterItem::ALL.into_iter().map(|i| (i, self.get(i)));
        // In a map of its own first: binary formats write the number of entries before them.
        let used: BTreeMap<MeterItem, u128> = used.filter(|(_, n)| *n > 0).collect();
        used.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut usage = Usage::default();
        for (item, quantity) in BTreeMap::<MeterItem, u128>::deserialize(d)? {
            usage.add(item, quantity);
        }
        Ok(usage)
    }
}

impl Usage {
    /// How much of an item was used.
    pub fn get(&self, item: MeterItem) -> u128 {
        self.0[item as usize]
    }

    /// Adds to an item; the greatest quantity there is, where that is too little.
    pub fn add(&mut self, item: MeterItem, quantity: u128) {
        let used = &mut self.0[item as usize];
        *used = used.saturating_add(quantity);
    }

    /// Adds all of another usage.
    pub fn merge(&mut self, other: &Usage) {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = a.saturating_add(b);
        }
    }

    /// What has been added since `earlier`, a former state of the same usage.
    pub fn since(&self, earlier: &Usage) -> Usage {
        let mut d = self.clone();
        for (a, b) in d.0.iter_mut().zip(earlier.0) {
            *a -= b;
        }
        d
    }

    /// Every quantity times `numerator / denominator`, rounded half up.
    ///
    /// # Panics
    /// If the denominator is 0.
    pub fn scaled(&self, numerator: u128, denominator: u128) -> Usage {
        Usage(self.0.map(|q| scale(q, numerator, denominator)))
    }
}

/// `q * numerator / denominator`, rounded half up; where the product is too large to be told exactly, about as much.
pub fn scale(q: u128, numerator: u128, denominator: u128) -> u128 {
    let product = q.checked_mul(numerator).and_then(|p| p.checked_mul(2));
    let sum = product.and_then(|p| p.checked_add(denominator));
    match (sum, denominator.checked_mul(2)) {
        (Some(sum), Some(double)) => sum / double,
        _ => (q / denominator).saturating_mul(numerator),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_items_is_in_their_order() {
        for (i, item) in MeterItem::ALL.into_iter().enumerate() {
            assert_eq!(item as usize, i);
            let json = serde_json::to_string(&item).unwrap();
            assert_eq!(json, format!("\"{}\"", item.name()));
            assert_eq!(item.name().parse(), Ok(item));
        }
    }

    #[test]
    fn an_unknown_name_is_met_with_the_nearest_and_all() {
        let said = "workers.request"
            .parse::<MeterItem>()
            .unwrap_err()
            .to_string();
        assert!(said.starts_with(
            "found unknown meter \"workers.request\" (did you mean \"workers.requests\"?), expected one of: kv.reads, kv.writes"
        ), "{said}");
        let said = "zzzzzzzzzzzz".parse::<MeterItem>().unwrap_err().to_string();
        assert!(!said.contains("did you mean"), "{said}");
    }

    #[test]
    fn scaling_rounds_half_up() {
        assert_eq!([scale(1, 1, 2), scale(1, 1, 3), scale(5, 3, 2)], [1, 0, 8]);
        let half = u128::MAX / 2;
        assert_eq!(
            [scale(half, 4, 4), scale(u128::MAX, 2, 1)],
            [half / 4 * 4, u128::MAX]
        );
        let mut u = Usage::default();
        u.add(MeterItem::KvReads, 7);
        assert_eq!(u.scaled(30, 7).get(MeterItem::KvReads), 30);
        u.add(MeterItem::KvInstantStorage, u128::MAX);
        let json = serde_json::to_string(&u).unwrap();
        assert!(json.starts_with("{\"kv.reads\":7,\"kv_instant"), "{json}");
        assert_eq!(serde_json::from_str::<Usage>(&json).unwrap(), u);
    }
}
