//! Requests that a plan allows in a day.

use crate::units::Timestamp;

/// Counts requests against a daily limit.
///
/// What is beyond it is answered with error 1027 and runs nothing:
/// <https://developers.cloudflare.com/workers/platform/limits/#daily-requests>
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    daily_limit: Option<u64>,
    day: u64,
    used: u64,
}

impl Admission {
    /// So many requests in a UTC day; none is without limit.
    pub fn new(daily_limit: Option<u64>) -> Self {
        Admission {
            daily_limit,
            day: 0,
            used: 0,
        }
    }

    /// Whether there is a limit.
    pub fn is_limited(&self) -> bool {
        self.daily_limit.is_some()
    }

    /// Forgets what has been used of this day.
    pub fn forget(&mut self) {
        self.used = 0;
    }

    /// Counts a request at `now`; whether it is let in.
    #[inline]
    pub fn admits(&mut self, now: Timestamp) -> bool {
        let Some(limit) = self.daily_limit else {
            return true;
        };
        let today = now.utc_day();
        if self.day != today {
            self.day = today;
            self.used = 0;
        }
        self.used += 1;
        self.used <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::DAY;

    #[test]
    fn a_new_day_has_its_own_requests() {
        let at = |day: u32, s: u64| Timestamp::from_secs(s) + DAY * day;
        let mut three = Admission::new(Some(3));
        let taken = |a: &mut Admission, day| (0..5).filter(|s| a.admits(at(day, *s))).count();
        assert_eq!([taken(&mut three, 0), taken(&mut three, 1)], [3, 3]);
        assert_eq!(taken(&mut three, 1), 0);
        three.forget();
        assert_eq!(taken(&mut three, 1), 3);
        assert_eq!(taken(&mut Admission::new(None), 2), 5);
    }
}
