//! Where requests come in.

use crate::sim::random::StreamRng;
use crate::units::Timestamp;
use crate::workload::Shape;
use rand::RngExt;

/// Places that are counted faster than one is searched among them.
const FEW: usize = 32;

/// Draws the place of a request by the shares of the hour.
pub(super) struct Places {
    /// Upper ends of the cumulative shares, for each hour of the week or once for all.
    cumulative: Vec<Vec<f64>>,
}

impl Places {
    pub(super) fn new(shares: &[(f64, i32)], shape: Option<&Shape>) -> Self {
        let zones = shares.iter().any(|s| s.1 != 0);
        let hours = shape.filter(|_| zones).map(Shape::hours_of_week);
        let rates = |hour: usize| -> Vec<f64> {
            let rate = |(share, zone): &(f64, i32)| match &hours {
                Some(h) => share * h[(hour as i32 + zone).rem_euclid(h.len() as i32) as usize],
                None => *share,
            };
            let mut sum = 0.0;
            let upto: Vec<f64> = shares
                .iter()
                .map(|s| {
                    sum += rate(s);
                    sum
                })
                .collect();
            upto.iter().map(|u| u / sum).collect()
        };
        let n = hours.as_ref().map_or(1, |h| h.len());
        Places {
            cumulative: (0..n).map(rates).collect(),
        }
    }

    #[inline]
    pub(super) fn draw(&self, now: Timestamp, rng: &mut StreamRng) -> usize {
        let upto = match &self.cumulative[..] {
            [only] => only,
            hours => &hours[crate::workload::hour_of_week(now)],
        };
        if upto.len() == 1 {
            return 0;
        }
        let u: f64 = rng.random();
        let place = match upto.len() {
            // A count takes no decision that could be guessed wrong, as each of a search is half the time.
            ..=FEW => upto.iter().filter(|x| **x <= u).count(),
            _ => upto.partition_point(|x| *x <= u),
        };
        place.min(upto.len() - 1)
    }
}
