//! Names of the keys under which aggregates are stored.

use super::record::ProviderId;
use crate::units::Timestamp;
use std::time::Duration;

/// What a total is about: a bucket, and one provider where each has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// The bucket.
    pub bucket: Bucket,
    /// The provider; none for all together.
    pub provider: Option<ProviderId>,
}

/// A stretch of time that has keys of its own: its start, in whole seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u64);

impl Bucket {
    /// The bucket that holds `t`.
    pub fn of(t: Timestamp, length: Duration) -> Self {
        Bucket(t.floor_to(length).as_nanos() / 1_000_000_000)
    }

    /// Where the bucket ends.
    pub fn end(self, length: Duration) -> Timestamp {
        Timestamp::from_secs(self.0) + length
    }

    /// The buckets of a window that ends now: as many as cover it, the current one included.
    pub fn of_window(now: Timestamp, window: Duration, length: Duration) -> Vec<Bucket> {
        let n = Bucket::number_in(window, length);
        let current = Bucket::of(now, length).0;
        let step = length.as_secs();
        (0..n)
            .rev()
            .filter_map(|i| current.checked_sub(i * step).map(Bucket))
            .collect()
    }

    /// How many buckets a window has.
    pub fn number_in(window: Duration, length: Duration) -> u64 {
        window.as_nanos().div_ceil(length.as_nanos()) as u64
    }

    /// The buckets that begin in a span of time.
    pub fn between(from: Timestamp, to: Timestamp, length: Duration) -> Vec<Bucket> {
        let first = Bucket::of(from, length).0;
        let last = to.as_nanos().div_ceil(1_000_000_000);
        let starts = (first..last).step_by(length.as_secs() as usize);
        starts.map(Bucket).collect()
    }

    /// Whether a key is one of this bucket, in whatever layout.
    pub fn has(self, key: &str) -> bool {
        let start = key.get(2..14).and_then(|start| start.parse().ok());
        start == Some(self.0)
    }

    /// `kind/start/rest`, the start in twelve digits, so that the order of letters is that of time. By hand, as a
    /// query names the keys of a day.
    fn key(self, kind: char, rest: &str) -> String {
        let (mut digits, mut left) = ([b'0'; 12], self.0);
        for digit in digits.iter_mut().rev() {
            *digit += (left % 10) as u8;
            left /= 10;
        }
        let mut key = String::with_capacity(15 + rest.len());
        key.push(kind);
        key.push('/');
        key.push_str(str::from_utf8(&digits).expect("digits are text"));
        key.push('/');
        key.push_str(rest);
        key
    }

    /// Prefix of the keys of all writers' rollups of this bucket.
    pub fn rollup_prefix(self) -> String {
        self.key('r', "")
    }

    /// Key of one writer's rollup.
    pub fn rollup_key(self, writer: &str) -> String {
        self.key('r', writer)
    }

    /// The key that all writers share.
    pub fn shared_key(self) -> String {
        format!("s/{:012}", self.0)
    }

    /// Prefix of the keys of all batches of this bucket.
    pub fn batch_prefix(self) -> String {
        self.key('b', "")
    }

    /// Key of a writer's batch; the number makes a repeated write harmless.
    pub fn batch_key(self, writer: &str, number: u64) -> String {
        self.key('b', &format!("{writer}-{number:010}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_window_is_covered_by_whole_buckets_up_to_the_current_one() {
        let now = Timestamp::from_secs(50 * 3_600 + 1_800);
        let buckets = |window| Bucket::of_window(now, window, HOUR);
        assert_eq!(buckets(HOUR), [Bucket::of(now, HOUR)]);
        assert_eq!(buckets(HOUR * 24).len(), 24);
        assert_eq!(buckets(Duration::from_secs(3_601)).len(), 2);
        assert_eq!(buckets(HOUR * 24)[0], Bucket(27 * 3_600));
    }

    #[test]
    fn keys_sort_by_time_and_carry_their_writer() {
        let early = Bucket(999).rollup_key("w");
        let late = Bucket(1_000).rollup_key("w");
        assert!(early < late);
        assert!(late.starts_with(&Bucket(1_000).rollup_prefix()));
        for key in [
            late,
            Bucket(1_000).shared_key(),
            Bucket(1_000).batch_key("w", 3),
        ] {
            assert!(Bucket(1_000).has(&key) && !Bucket(999).has(&key), "{key}");
        }
        assert!(Bucket(7).batch_key("w", 2) < Bucket(7).batch_key("w", 10));
    }
}
