//! What can be billed, and how much of it was used.

use crate::telemetry::ports::OpKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that a catalog may put a price on.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum MeterItem {
    #[serde(rename = "kv.reads")]
    KvReads,
    #[serde(rename = "kv.writes")]
    KvWrites,
    #[serde(rename = "kv.deletes")]
    KvDeletes,
    #[serde(rename = "kv.lists")]
    KvLists,
    /// Bytes stored, on average over the month.
    #[serde(rename = "kv.storage")]
    KvStorage,
    /// Bytes read; priced only by the seed document.
    #[serde(rename = "kv.read_bytes")]
    KvReadBytes,
    /// Bytes written; priced only by the seed document.
    #[serde(rename = "kv.write_bytes")]
    KvWriteBytes,
    #[serde(rename = "workers.requests")]
    WorkersRequests,
    #[serde(rename = "workers.cpu_ms")]
    WorkersCpuMs,
    #[serde(rename = "do.requests")]
    DoRequests,
    /// Megabyte-milliseconds that objects were active (1 GB-s is 1,000,000).
    #[serde(rename = "do.duration_mb_ms")]
    DoDurationMbMs,
    #[serde(rename = "do.rows_read")]
    DoRowsRead,
    #[serde(rename = "do.rows_written")]
    DoRowsWritten,
    #[serde(rename = "do.storage")]
    DoStorage,
    #[serde(rename = "r2.class_a")]
    R2ClassA,
    #[serde(rename = "r2.class_b")]
    R2ClassB,
    #[serde(rename = "r2.storage")]
    R2Storage,
    #[serde(rename = "queues.operations")]
    QueuesOperations,
    #[serde(rename = "ae.data_points")]
    AeDataPoints,
    #[serde(rename = "ae.read_queries")]
    AeReadQueries,
    #[serde(rename = "d1.rows_read")]
    D1RowsRead,
    #[serde(rename = "d1.rows_written")]
    D1RowsWritten,
    #[serde(rename = "d1.storage")]
    D1Storage,
}

impl MeterItem {
    /// All items, in the order of invoices.
    pub const ALL: [MeterItem; 23] = [
        MeterItem::KvReads,
        MeterItem::KvWrites,
        MeterItem::KvDeletes,
        MeterItem::KvLists,
        MeterItem::KvStorage,
        MeterItem::KvReadBytes,
        MeterItem::KvWriteBytes,
        MeterItem::WorkersRequests,
        MeterItem::WorkersCpuMs,
        MeterItem::DoRequests,
        MeterItem::DoDurationMbMs,
        MeterItem::DoRowsRead,
        MeterItem::DoRowsWritten,
        MeterItem::DoStorage,
        MeterItem::R2ClassA,
        MeterItem::R2ClassB,
        MeterItem::R2Storage,
        MeterItem::QueuesOperations,
        MeterItem::AeDataPoints,
        MeterItem::AeReadQueries,
        MeterItem::D1RowsRead,
        MeterItem::D1RowsWritten,
        MeterItem::D1Storage,
    ];

    /// The item that counts KV operations of a kind.
    pub fn of_operation(kind: OpKind) -> Self {
        match kind {
            OpKind::Read => MeterItem::KvReads,
            OpKind::Write => MeterItem::KvWrites,
            OpKind::Delete => MeterItem::KvDeletes,
            OpKind::List => MeterItem::KvLists,
        }
    }

    /// Name as in catalogs: `kv.reads`.
    pub fn name(self) -> &'static str {
        match self {
            MeterItem::KvReads => "kv.reads",
            MeterItem::KvWrites => "kv.writes",
            MeterItem::KvDeletes => "kv.deletes",
            MeterItem::KvLists => "kv.lists",
            MeterItem::KvStorage => "kv.storage",
            MeterItem::KvReadBytes => "kv.read_bytes",
            MeterItem::KvWriteBytes => "kv.write_bytes",
            MeterItem::WorkersRequests => "workers.requests",
            MeterItem::WorkersCpuMs => "workers.cpu_ms",
            MeterItem::DoRequests => "do.requests",
            MeterItem::DoDurationMbMs => "do.duration_mb_ms",
            MeterItem::DoRowsRead => "do.rows_read",
            MeterItem::DoRowsWritten => "do.rows_written",
            MeterItem::DoStorage => "do.storage",
            MeterItem::R2ClassA => "r2.class_a",
            MeterItem::R2ClassB => "r2.class_b",
            MeterItem::R2Storage => "r2.storage",
            MeterItem::QueuesOperations => "queues.operations",
            MeterItem::AeDataPoints => "ae.data_points",
            MeterItem::AeReadQueries => "ae.read_queries",
            MeterItem::D1RowsRead => "d1.rows_read",
            MeterItem::D1RowsWritten => "d1.rows_written",
            MeterItem::D1Storage => "d1.storage",
        }
    }
}

impl fmt::Display for MeterItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whole quantities of each item, used in a month.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage([u128; MeterItem::ALL.len()]);

impl Usage {
    /// How much of an item was used.
    pub fn get(&self, item: MeterItem) -> u128 {
        self.0[item as usize]
    }

    /// Adds to an item.
    pub fn add(&mut self, item: MeterItem, quantity: u128) {
        self.0[item as usize] += quantity;
    }

    /// Adds all of another usage.
    pub fn merge(&mut self, other: &Usage) {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a += b;
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

/// `q * numerator / denominator`, rounded half up.
pub fn scale(q: u128, numerator: u128, denominator: u128) -> u128 {
    (2 * q * numerator + denominator) / (2 * denominator)
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
        }
    }

    #[test]
    fn scaling_rounds_half_up() {
        assert_eq!([scale(1, 1, 2), scale(1, 1, 3), scale(5, 3, 2)], [1, 0, 8]);
        let mut u = Usage::default();
        u.add(MeterItem::KvReads, 7);
        assert_eq!(u.scaled(30, 7).get(MeterItem::KvReads), 30);
    }
}
