//! Where requests come in.

use crate::sim::random::StreamRng;
use crate::units::Timestamp;
use crate::workload::Shape;
use rand::RngExt;

/// Parts of the unit interval whose first place is known.
const PARTS: u8 = 64;

/// Draws the place of a request by the shares of the hour.
pub(super) struct Places {
    /// For each hour of the week, or once for all.
    hours: Vec<Shares>,
}

/// Shares of places, to be drawn by.
struct Shares {
    /// Their cumulative upper ends.
    upto: Vec<f64>,
    /// The place in which each part begins: the place of a number is there, or not far behind.
    first: Vec<u16>,
}

impl Shares {
    fn new(upto: Vec<f64>) -> Self {
        let place = |part: u8| {
            let least = f64::from(part) / f64::from(PARTS);
            upto.partition_point(|x| *x <= least) as u16
        };
        Shares {
            first: (0..PARTS).map(place).collect(),
            upto,
        }
    }

    /// The place that holds a number of at least 0 and less than 1.
    #[inline]
    fn place_of(&self, u: f64) -> usize {
        let mut place = usize::from(self.first[(u * f64::from(PARTS)) as usize]);
        while self.upto.get(place).is_some_and(|x| *x <= u) {
            place += 1;
        }
        place.min(self.upto.len() - 1)
    }
}

impl Places {
    pub(super) fn new(shares: &[(f64, i32)], shape: Option<&Shape>) -> Self {
        let zones = shares.iter().any(|s| s.1 != 0);
        let hours = shape.filter(|_| zones).map(Shape::hours_of_week);
        let rates = |hour: usize| {
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
            Shares::new(upto.iter().map(|u| u / sum).collect())
        };
        let n = hours.as_ref().map_or(1, |h| h.len());
        Places {
            hours: (0..n).map(rates).collect(),
        }
    }

    #[inline]
    pub(super) fn draw(&self, now: Timestamp, rng: &mut StreamRng) -> usize {
        let shares = match &self.hours[..] {
            [only] => only,
            hours => &hours[crate::workload::hour_of_week(now)],
        };
        if shares.upto.len() == 1 {
            return 0;
        }
        shares.place_of(rng.random())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_in_the_place_that_a_search_finds() {
        // Shares from a ten-millionth to a half, one of nothing, and ends that parts begin at.
        for shares in [
            vec![0.5, 0.25, 0.25],
            vec![1e-7, 0.3, 0.0, 0.2, 1e-3, 0.4989999],
            vec![1.0 / 300.0; 300],
            vec![0.0, 1.0],
        ] {
            let mut sum = 0.0;
            let upto = shares.iter().map(|share| {
                sum += share;
                sum
            });
            let upto: Vec<f64> = upto.collect();
            let last = upto.len() - 1;
            let shares = Shares::new(upto.clone());
            let numbers = (0..10_000).map(|i| f64::from(i) / 10_000.0);
            let ends = upto.iter().flat_map(|x| [x.next_down(), *x]);
            let inside = |u: &f64| (0.0..1.0).contains(u);
            for u in numbers
                .chain(ends)
                .chain([1.0_f64.next_down()])
                .filter(inside)
            {
                let found = upto.partition_point(|x| *x <= u).min(last);
                assert_eq!(shares.place_of(u), found, "{u}");
            }
        }
    }
}
