//! The busiest second.

use crate::units::Timestamp;

/// The most that came in one second of the clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeakSecond {
    second: u64,
    count: u64,
    most: u64,
}

impl PeakSecond {
    /// Notes one more at `now`; returns how many that makes in this second.
    pub fn note(&mut self, now: Timestamp) -> u64 {
        let second = now.as_nanos() / 1_000_000_000;
        if self.second != second {
            self.second = second;
            self.count = 0;
        }
        self.count += 1;
        self.most = self.most.max(self.count);
        self.count
    }

    /// The most in a second so far.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Forgets the peak; a second under way counts on.
    pub fn reset(&mut self) {
        self.most = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_under_way_counts_on_when_its_peak_is_forgotten() {
        let at = Timestamp::from_secs;
        let mut peak = PeakSecond::default();
        assert_eq!([peak.note(at(5)), peak.note(at(5))], [1, 2]);
        assert_eq!((peak.note(at(6)), peak.most()), (1, 2));
        peak.reset();
        assert_eq!(peak.most(), 0);
        assert_eq!((peak.note(at(6)), peak.most()), (2, 2));
    }
}
