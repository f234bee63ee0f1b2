//! Where requests come in.

use crate::sim::random::StreamRng;
use crate::units::Timestamp;
use crate::workload::Shape;
use rand::Rng;
use std::time::Duration;

/// Parts of the numbers that are drawn whose first place is known.
const PARTS: usize = 64;

/// Draws the place of a request by the shares of the hour.
pub(super) struct Places {
    /// For each hour of the week, or once for all.
    hours: Vec<Shares>,
    /// Whose shares are in force, and the end of that hour.
    hour: usize,
    until: Timestamp,
    rng: StreamRng,
    /// The number of the next request and its place in this hour: they are there when it comes, and nobody waits for them.
    next: (usize, u64),
}

/// Shares of places, to be drawn by: to one in 2^32.
struct Shares {
    /// The first number that is not of the place any more; no number is beyond the last.
    upto: Vec<u64>,
    /// The place in which each part begins: the place of a number is there, or not far behind.
    first: [u16; PARTS],
}

impl Shares {
    /// From the upper ends of the shares, as they follow each other up to 1.
    fn new(upto: &[f64]) -> Self {
        let mut upto: Vec<u64> = upto.iter().map(|x| (x * 2_f64.powi(32)) as u64).collect();
        let last = upto.len() - 1;
        upto[last] = 1 << 32;
        let first = std::array::from_fn(|part| {
            let least = part as u64 * (1 << 32) / PARTS as u64;
            upto[..last].partition_point(|x| *x <= least) as u16
        });
        Shares { upto, first }
    }

    /// The place of a number.
    #[inline]
    fn place_of(&self, number: u32) -> usize {
        let mut place = usize::from(self.first[number as usize >> 26]);
        while self.upto[place] <= u64::from(number) {
            place += 1;
        }
        place
    }
}

impl Places {
    pub(super) fn new(shares: &[(f64, i32)], shape: Option<&Shape>, mut rng: StreamRng) -> Self {
        let zones = shares.iter().any(|s| s.1 != 0);
        let hours = shape.filter(|_| zones).map(Shape::hours_of_week);
        let rates = |hour: usize| -> Vec<f64> {
            let rate = |(share, zone): &(f64, i32)| match &hours {
                Some(h) => share * h[(hour as i32 + zone).rem_euclid(h.len() as i32) as usize],
                None => *share,
            };
            shares.iter().map(rate).collect()
        };
        let rates = |hour: usize| {
            let mut rates = rates(hour);
            // Nobody asks anywhere: what comes all the same, as crons do, comes by the shares.
            if rates.iter().all(|rate| *rate == 0.0) {
                rates = shares.iter().map(|s| s.0).collect();
            }
            let mut sum = 0.0;
            for rate in &mut rates {
                sum += *rate;
                *rate = sum;
            }
            Shares::new(&rates.iter().map(|upto| upto / sum).collect::<Vec<_>>())
        };
        let n = hours.as_ref().map_or(1, |h| h.len());
        Places {
            hours: (0..n).map(rates).collect(),
            hour: 0,
            until: Timestamp::EPOCH,
            next: (0, rng.next_u64()),
            rng,
        }
    }

    /// A place, and a number of 32 bits by which to draw further. Times must not go back.
    #[inline]
    pub(super) fn draw(&mut self, now: Timestamp) -> (usize, u32) {
        if now >= self.until {
            self.begin_hour(now);
        }
        let (place, number) = self.next;
        let next = self.rng.next_u64();
        self.next = (self.place_of(next), next);
        (place, number as u32)
    }

    #[inline]
    fn place_of(&self, number: u64) -> usize {
        self.hours[self.hour].place_of((number >> 32) as u32)
    }

    #[cold]
    fn begin_hour(&mut self, now: Timestamp) {
        const HOUR: Duration = Duration::from_secs(3_600);
        if self.hours.len() > 1 {
            self.hour = crate::workload::hour_of_week(now);
        }
        self.until = now.floor_to(HOUR) + HOUR;
        self.next.0 = self.place_of(self.next.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng() -> StreamRng {
        crate::sim::random::Streams::new(1, 0).stream("places")
    }

    #[test]
    fn a_number_is_in_the_place_that_a_search_finds() {
        // Shares from a ten-millionth to a half, one of nothing, and ends that parts begin at.
        for shares in [
            vec![0.5, 0.25, 0.25],
            vec![1e-7, 0.3, 0.0, 0.2, 1e-3, 0.4989999],
            vec![1.0 / 300.0; 300],
            vec![0.0, 1.0],
            vec![1.0, 0.0],
            vec![1.0],
        ] {
            let mut sum = 0.0;
            let upto = shares.iter().map(|share| {
                sum += share;
                sum
            });
            let upto: Vec<f64> = upto.collect();
            let last = upto.len() - 1;
            let shares = Shares::new(&upto);
            let numbers = (0..10_000).map(|i| f64::from(i) / 10_000.0);
            let numbers = numbers.chain(upto.iter().copied());
            let numbers = numbers.map(|u| (u * 2_f64.powi(32)) as u32);
            for number in numbers
                .flat_map(|n| [n.saturating_sub(1), n, n.saturating_add(1)])
                .chain([u32::MAX])
            {
                // Whole numbers of 2^-32 are exact.
                let u = f64::from(number) / 2_f64.powi(32);
                let at = |x: &f64| (x * 2_f64.powi(32)).floor() / 2_f64.powi(32);
                let found = upto.partition_point(|x| at(x) <= u).min(last);
                assert_eq!(shares.place_of(number), found, "{number}");
            }
        }
    }

    /// The lower half of a number says which machine it is: as often one as the other, whatever the place.
    #[test]
    fn what_is_left_of_a_number_is_even_and_does_not_depend_on_the_place() {
        let mut places = Places::new(&[(0.3, 0), (0.7, 0)], None, rng());
        let mut counts = [[0.0_f64; 10]; 2];
        let n = 100_000;
        for _ in 0..n {
            let (place, rest) = places.draw(Timestamp::EPOCH);
            counts[place][((u64::from(rest) * 10) >> 32) as usize] += 1.0;
        }
        for (counts, share) in counts.iter().zip([0.03, 0.07]) {
            for count in counts {
                // Four standard deviations.
                let (expected, sd) = (n as f64 * share, (n as f64 * share * (1.0 - share)).sqrt());
                assert!((count - expected).abs() < 4.0 * sd, "{counts:?}");
            }
        }
    }

    #[test]
    fn in_an_hour_without_requests_places_are_those_of_the_shares() {
        let shape = Shape {
            hourly: (0..24).map(|h| f64::from(u8::from(h >= 6))).collect(),
            daily: vec![1.0; 7],
            utc_offset_h: 0,
        };
        let mut places = Places::new(&[(0.8, 0), (0.2, 1)], Some(&shape), rng());
        let two = Timestamp::from_secs(2 * 3_600);
        let first = (0..10_000).filter(|_| places.draw(two).0 == 0).count();
        // Four standard deviations of 40.
        assert!((7_840..=8_160).contains(&first), "{first}");
        // From five on the second place has its six o'clock.
        let five = Timestamp::from_secs(5 * 3_600);
        assert!((0..100).all(|_| places.draw(five).0 == 1));
    }
}
