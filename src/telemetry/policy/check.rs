//! What the types of a policy cannot hold: ranges, and settings that do not go together.

use super::{Discover, KeyLayout, Overflow, Policy, WAIT_UNTIL, WriteMode};
use crate::field::{FieldError, check_name, within};
use std::time::Duration;

/// How long an entry can be kept fresh after the request that began it.
const LONGEST_CHAIN: Duration = Duration::from_secs(25);

impl Policy {
    /// How far back its queries look for keys by their names, which it does not know; none if it knows them.
    pub fn listed_window(&self) -> Option<Duration> {
        let lists = match self.layout.keys {
            KeyLayout::Rollup => self.layout.discover == Discover::List,
            KeyLayout::BatchKeys => true,
            KeyLayout::Shared => false,
        };
        let queries = &self.queries;
        lists.then(|| queries.analytics_window.max(queries.metrics_window))
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The field at fault, what was found in it and what was expected.
    pub fn validate(&self) -> Result<(), FieldError> {
        let b = &self.batch;
        let positive = [
            ("batch.max_age", b.max_age.as_nanos() as u64),
            ("cache.max_entries", u64::from(self.cache.max_entries)),
            ("layout.bucket", self.layout.bucket.as_nanos() as u64),
            (
                "queries.metrics_window",
                self.queries.metrics_window.as_nanos() as u64,
            ),
            (
                "queries.analytics_window",
                self.queries.analytics_window.as_nanos() as u64,
            ),
        ];
        for (field, value) in positive {
            if value == 0 {
                return Err(FieldError::new(field, "found 0, expected a value above 0"));
            }
        }
        check_name("name", &self.name)?;
        // A batch that is written at once has no age.
        let has_age = b.max_records > 1 || b.adaptive.is_some();
        if has_age && b.age() + b.min_interval >= WAIT_UNTIL {
            return Err(FieldError::new(
                "batch.max_age",
                format!(
                    "found {:?}, with batch.min_interval {:?}, expected less than {WAIT_UNTIL:?} in all: then the Workers runtime ends what waitUntil carries on, and the batch would never be written",
                    b.age(),
                    b.min_interval
                ),
            ));
        }
        let memory = "an isolate has 128 MB";
        within("batch.max_records", b.max_records, 1, 1_000_000, memory)?;
        let capacity = "batch.buffer_capacity";
        within(capacity, b.buffer_capacity, 1, 10_000_000, memory)?;
        let attempts = "an invocation has 10,000 operations at most";
        let (write, query) = (self.retry.max_attempts, self.queries.retry.max_attempts);
        within("retry.max_attempts", write, 1, 10_000, attempts)?;
        within("queries.retry.max_attempts", query, 1, 10_000, attempts)?;
        for (field, window) in [
            ("queries.metrics_window", self.queries.metrics_window),
            ("queries.analytics_window", self.queries.analytics_window),
        ] {
            let buckets = window.as_nanos() / self.layout.bucket.as_nanos();
            let found = u64::try_from(buckets).unwrap_or(u64::MAX);
            let reason = "buckets of layout.bucket in the window, each a key to read";
            within(field, found, 0, 100_000, reason)?;
        }
        if b.write == WriteMode::Await && self.layout.keys == KeyLayout::Shared {
            return Err(FieldError::new(
                "batch.write",
                "found \"await\" with layout.keys \"shared\", expected \"background\": writers of one key take turns, and a request would wait for those of others",
            ));
        }
        if b.buffer_capacity < b.max_records {
            return Err(FieldError::new(
                "batch.buffer_capacity",
                format!(
                    "found {}, expected at least batch.max_records = {}",
                    b.buffer_capacity, b.max_records
                ),
            ));
        }
        if let Some(p) = &self.cache.prewarm
            && !(p.lead < self.cache.ttl && p.min_expected > 0.0)
        {
            return Err(FieldError::new(
                "cache.prewarm",
                "found a lead of cache.ttl or more, or min_expected not above 0, expected a lead below cache.ttl and a number above 0",
            ));
        }
        if let Some(p) = &self.cache.prewarm
            && !(self.cache.ttl - p.lead..=LONGEST_CHAIN).contains(&p.max_chain)
        {
            return Err(FieldError::new(
                "cache.prewarm.max_chain",
                format!(
                    "found {:?}, expected cache.ttl less lead, {:?}, to {LONGEST_CHAIN:?}: waitUntil ends after {WAIT_UNTIL:?}, and a read takes its time",
                    p.max_chain,
                    self.cache.ttl - p.lead
                ),
            ));
        }
        if let Some(b) = &self.breaker
            && (b.failure_threshold == 0 || b.half_open_probes == 0 || b.open_for.is_zero())
        {
            return Err(FieldError::new(
                "breaker",
                "found a 0, expected values above 0",
            ));
        }
        if let Some(a) = &b.adaptive
            && !(1..=b.max_records).contains(&a.min_records)
        {
            return Err(FieldError::new(
                "batch.adaptive.min_records",
                format!(
                    "found {}, expected 1 to batch.max_records = {}",
                    a.min_records, b.max_records
                ),
            ));
        }
        if self.layout.per_provider && self.layout.keys != KeyLayout::Rollup {
            return Err(FieldError::new(
                "layout.per_provider",
                "found true, expected layout.keys = \"rollup\" with it",
            ));
        }
        if b.overflow == Overflow::Wait && self.layout.keys == KeyLayout::Rollup {
            return Err(FieldError::new(
                "batch.overflow",
                "found \"wait\" with layout.keys = \"rollup\", whose totals never fill the buffer; expected another layout",
            ));
        }
        if let Some(c) = &self.cron
            && c.every < Duration::from_secs(60)
        {
            return Err(FieldError::new(
                "cron.every",
                "found less than 1 min, expected 1 min or more",
            ));
        }
        let day = Duration::from_secs(86_400);
        let archive_after = self.tiers.as_ref().and_then(|t| t.archive_after);
        if let Some(after) = archive_after
            && (after < day || self.layout.retention < after + 2 * day)
        {
            return Err(FieldError::new(
                "tiers.archive_after",
                "found less than 1 d, or more than layout.retention less 2 d, expected a day to be archived before its keys expire",
            ));
        }
        if archive_after.is_none() && self.layout.retention < self.queries.analytics_window {
            return Err(FieldError::new(
                "layout.retention",
                "found less than queries.analytics_window, expected at least as much",
            ));
        }
        if !self.layout.bucket.as_nanos().is_multiple_of(1_000_000_000) {
            return Err(FieldError::new(
                "layout.bucket",
                "found a fraction of a second, expected whole seconds",
            ));
        }
        Ok(())
    }
}
