//! Which points to try next: at first all over the ranges, then around the worst found so far.

use crate::sim::random::{StreamRng, Streams};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// Points of a generation: enough to keep threads busy, few enough to learn from.
const GENERATION: usize = 16;
/// Of those found so far, so many are varied.
const ELITE: usize = 5;
/// Share of the points of a generation that look somewhere else.
const ELSEWHERE: f64 = 0.2;
/// Length of a step at first, what becomes of it with each generation, and its least length.
const STEP: (f64, f64, f64) = (0.35, 0.85, 0.02);

/// A point, each range from 0 to 1.
pub(super) type At = Vec<f64>;

/// A search for the point with the largest score.
pub(super) struct Climb {
    ranges: usize,
    rng: StreamRng,
    step: f64,
    /// All points with a score, the worst first; of equal ones, that which was found first.
    found: Vec<(f64, At)>,
    begun: bool,
}

impl Climb {
    pub(super) fn new(ranges: usize, seed: u64) -> Self {
        Climb {
            ranges,
            rng: Streams::new(seed, 0).stream("chaos.climb"),
            step: STEP.0,
            found: Vec::new(),
            begun: false,
        }
    }

    /// The points to try next, `most` at most.
    pub(super) fn next(&mut self, most: usize) -> Vec<At> {
        let n = GENERATION.min(most);
        if !self.begun {
            self.begun = true;
            return self.spread(n);
        }
        let next = (0..n).map(|_| self.vary()).collect();
        self.step = (self.step * STEP.1).max(STEP.2);
        next
    }

    /// What a point came to; a score that is no number is that of a point where nothing is known.
    pub(super) fn tell(&mut self, at: At, score: f64) {
        if score.is_nan() {
            return;
        }
        let i = self.found.partition_point(|f| f.0 >= score);
        self.found.insert(i, (score, at));
    }

    /// The worst point so far, with its score.
    pub(super) fn worst(&self) -> Option<&(f64, At)> {
        self.found.first()
    }

    /// Points all over: each of `n` parts of each range has one.
    fn spread(&mut self, n: usize) -> Vec<At> {
        let mut points = vec![At::new(); n];
        for _ in 0..self.ranges {
            let mut parts: Vec<usize> = (0..n).collect();
            for i in (1..n).rev() {
                parts.swap(i, self.rng.random_range(0..=i));
            }
            for (point, part) in points.iter_mut().zip(parts) {
                let u: f64 = self.rng.random();
                point.push((part as f64 + u) / n as f64);
            }
        }
        points
    }

    /// A point near one of the worst, or somewhere else.
    fn vary(&mut self) -> At {
        let elsewhere = self.rng.random::<f64>() < ELSEWHERE;
        let elite = self.found.len().min(ELITE);
        if elsewhere || elite == 0 {
            return (0..self.ranges).map(|_| self.rng.random()).collect();
        }
        let mut at = self.found[self.rng.random_range(0..elite)].1.clone();
        let always = self.rng.random_range(0..self.ranges.max(1));
        for (i, u) in at.iter_mut().enumerate() {
            let step: f64 = StandardNormal.sample(&mut self.rng);
            // What goes beyond an end stays there: the worst is often at one.
            if i == always || self.rng.random::<f64>() < 0.5 {
                *u = (*u + self.step * step).clamp(0.0, 1.0);
            }
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hill in a corner of four ranges, and a lower one that misleads.
    fn height(at: &[f64]) -> f64 {
        let near = |x: f64| at.iter().map(|u| (u - x).powi(2)).sum::<f64>();
        (-4.0 * near(1.0)).exp() + 0.3 * (-8.0 * near(0.2)).exp()
    }

    fn climbed(seed: u64, tries: usize) -> f64 {
        let mut climb = Climb::new(4, seed);
        let mut left = tries;
        while left > 0 {
            let next = climb.next(left);
            left -= next.len();
            for at in next {
                let score = height(&at);
                climb.tell(at, score);
            }
        }
        climb.worst().unwrap().0
    }

    #[test]
    fn it_finds_what_as_many_random_points_do_not() {
        let mut rng = Streams::new(1, 0).stream("random");
        let mut at_random = |_| {
            let points = (0..200).map(|_| height(&[(); 4].map(|()| rng.random())));
            points.fold(0.0, f64::max)
        };
        let median = |mut x: Vec<f64>| {
            x.sort_by(f64::total_cmp);
            x[x.len() / 2]
        };
        let guided = median((0..31).map(|seed| climbed(seed, 200)).collect());
        let random = median((0..31).map(&mut at_random).collect());
        println!("guided {guided:.3}, random {random:.3}");
        assert!(guided > 0.95 && random < 0.8, "{guided} and {random}");
    }

    #[test]
    fn the_same_seed_tries_the_same_points_and_no_more_than_were_asked_for() {
        assert_eq!(climbed(7, 50), climbed(7, 50));
        let mut climb = Climb::new(2, 1);
        assert_eq!(climb.next(5).len(), 5);
        climb.tell(vec![0.5, 0.5], f64::NAN);
        assert!(climb.worst().is_none());
        assert_eq!(climb.next(100).len(), GENERATION);
    }
}
