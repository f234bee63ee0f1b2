//! Where, as traffic grows, something begins to hold: root finding within one replication.
//!
//! What is asked at a traffic gives a margin, above 0 where it holds. The step of the levels at which it begins is
//! narrowed by the ITP method (Oliveira and Takahashi, "An Enhancement of the Bisection Method Average Performance
//! Preserving Minmax Optimality", ACM Transactions on Mathematical Software 47(1), 2020): it asks where a line through
//! margins says, a little nearer to the middle, so that both ends come closer; and never so far from the middle (of the
//! logarithms) that it might have to ask more than once more often than bisection. Where no line
//! tells anything, as of a yes or no, it is bisection.
//!
//! Where another replication has found it, that is asked first ([`Search::hint`]). Of what is smooth, a count that grows
//! with traffic, no two sides are needed: it is found once the line says that it begins no further away from where it
//! was asked last than is asked for ([`Search::smooth`]); what the line is wrong by is then a small part of that.

/// Where something begins to hold in one replication, on a range of traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Onset {
    /// It holds at the low end of the range already.
    Already,
    /// From this traffic on (requests a month).
    At(f64),
    /// It does not hold at any level of the range.
    Never,
}

/// How much more often than bisection it may be asked: the less, the nearer to the middle the first answers have to be.
const SLACK: f64 = 1.0;
/// How far from the guess it is asked, towards the middle, as a share of the width that is aimed at: if the guess is
/// right, its two sides are then closer than that.
const NUDGE: f64 = 0.3;
/// The same of the distance to where it was asked before, for a guess that may be as wrong as that share of it.
const DOUBT: f64 = 0.05;
/// How far from a hint it is asked next, in tolerances, where no line tells anything.
const STEPS: [f64; 2] = [2.0, 6.0];
/// Share of the room that is used, as traffic is rounded to whole requests.
const ROOM: f64 = 0.95;

/// How a search is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Search<'a> {
    /// Where asking costs nothing, rising.
    pub known: &'a [u64],
    /// Where it begins to hold in another replication.
    pub hint: Option<f64>,
    /// Whether the margin is nearly a line between levels, and never 0 below.
    pub smooth: bool,
    /// Ends closer than the factor `1 + tolerance` are not told apart.
    pub tolerance: f64,
}

/// Finds the first of `levels` (rising) at which `margin` is above 0, then narrows the step before it until its ends are
/// within the tolerance.
///
/// # Errors
/// The first of `margin`.
pub fn onset<E>(
    levels: &[u64],
    search: &Search,
    mut margin: impl FnMut(u64) -> Result<f64, E>,
) -> Result<Onset, E> {
    let mut ask = |traffic: u64| {
        Ok(Asked {
            traffic,
            margin: margin(traffic)?,
        })
    };
    let mut below = None;
    for level in levels {
        let asked = ask(*level)?;
        if !asked.holds() {
            below = Some(asked);
            continue;
        }
        let Some(low) = below else {
            return Ok(Onset::Already);
        };
        let bracket = Bracket {
            low,
            high: asked,
            below: None,
            above: None,
            last: None,
        };
        return bracket.among(search, &mut ask)?.narrow(search, &mut ask);
    }
    Ok(Onset::Never)
}

/// The same for several runs of levels, rising, between which nothing is known; the first of all
/// levels is `least`.
///
/// # Errors
/// As [`onset`].
pub fn onset_of_runs<E>(
    runs: &[Vec<u64>],
    least: u64,
    search: &Search,
    mut margin: impl FnMut(u64) -> Result<f64, E>,
) -> Result<Onset, E> {
    for run in runs {
        match onset(run, search, &mut margin)? {
            Onset::Never => {}
            Onset::Already if run[0] > least => return Ok(Onset::At(run[0] as f64)),
            found => return Ok(found),
        }
    }
    Ok(Onset::Never)
}

/// What was asked at a traffic, and by how much it holds there.
#[derive(Debug, Clone, Copy)]
struct Asked {
    traffic: u64,
    margin: f64,
}

impl Asked {
    fn holds(self) -> bool {
        self.margin > 0.0
    }

    /// Where the line through both is 0.
    fn zero(self, other: Asked) -> f64 {
        let (x, y) = (self.traffic as f64, other.traffic as f64);
        x - self.margin * (y - x) / (other.margin - self.margin)
    }

    /// Where the hyperbola through three is 0: a line divided by a line, which has no extremes.
    fn zero_of_curve(self, second: Asked, third: Asked) -> f64 {
        // With z for the zero: margin = (x - z) / (a x + b), so z is that combination of the x in which a and b cancel.
        let [x, y, z] = [self, second, third].map(|a| a.traffic as f64);
        let weights = [
            second.margin * third.margin * (y - z),
            third.margin * self.margin * (z - x),
            self.margin * second.margin * (x - y),
        ];
        (weights[0] * x + weights[1] * y + weights[2] * z) / weights.iter().sum::<f64>()
    }
}

/// Two ends between which something begins to hold.
#[derive(Debug, Clone, Copy)]
struct Bracket {
    /// Here it does not hold.
    low: Asked,
    /// Here it does.
    high: Asked,
    /// The next answer below the low end.
    below: Option<Asked>,
    /// The next above the high one.
    above: Option<Asked>,
    /// Where it was asked last, since the bracket is narrowed.
    last: Option<u64>,
}

impl Bracket {
    fn add(&mut self, asked: Asked) {
        let (end, outside) = match asked.holds() {
            true => (&mut self.high, &mut self.above),
            false => (&mut self.low, &mut self.below),
        };
        *outside = Some(std::mem::replace(end, asked));
    }

    /// The first step between what is known inside, and where it is likely to begin, at which it begins to hold.
    fn among<E>(
        mut self,
        search: &Search,
        ask: &mut impl FnMut(u64) -> Result<Asked, E>,
    ) -> Result<Self, E> {
        let known = search.known;
        let inside = self.low.traffic + 1..self.high.traffic;
        for traffic in known.iter().filter(|x| inside.contains(x)) {
            self.add(ask(*traffic)?);
            if self.high.traffic == *traffic {
                break;
            }
        }
        if let Some(above) = known.iter().find(|x| **x > self.high.traffic) {
            self.above = Some(ask(*above)?);
        }
        let inside = self.low.traffic + 1..self.high.traffic;
        let hint = search.hint.map(|x| x.round() as u64);
        if let Some(traffic) = hint.filter(|x| inside.contains(x))
            && self.width() > search.tolerance.ln_1p()
        {
            self.step_from(traffic, search, ask)?;
        }
        Ok(self)
    }

    /// Asks at a hint, and a little further on where that does not tell how far it is.
    fn step_from<E>(
        &mut self,
        hint: u64,
        search: &Search,
        ask: &mut impl FnMut(u64) -> Result<Asked, E>,
    ) -> Result<(), E> {
        let first = ask(hint)?;
        self.add(first);
        self.last = Some(hint);
        for step in STEPS {
            let further = (1.0 + step * search.tolerance).powi(if first.holds() { -1 } else { 1 });
            let traffic = (hint as f64 * further).round() as u64;
            let inside = self.low.traffic + 1..self.high.traffic;
            if search.smooth || self.guess().is_some() || !inside.contains(&traffic) {
                break;
            }
            self.add(ask(traffic)?);
            self.last = Some(traffic);
        }
        Ok(())
    }

    /// Asks between the ends until they are within the tolerance.
    fn narrow<E>(
        mut self,
        search: &Search,
        ask: &mut impl FnMut(u64) -> Result<Asked, E>,
    ) -> Result<Onset, E> {
        let aim = search.tolerance.ln_1p();
        let halvings = (self.width() / aim).log2().ceil().max(0.0);
        // What is smooth needs no two sides, and is asked as near to an end as it is likely to begin.
        let slack = SLACK + f64::from(u8::from(search.smooth));
        let mut most = ROOM * aim * (halvings + slack - 1.0).exp2();
        while self.width() > aim {
            if search.smooth
                && let Some(found) = self.settled(aim)
            {
                return Ok(Onset::At(found));
            }
            let Some(traffic) = self.next(search, most) else {
                break;
            };
            self.add(ask(traffic)?);
            self.last = Some(traffic);
            most /= 2.0;
        }
        let (low, high) = (self.low.traffic as f64, self.high.traffic as f64);
        Ok(Onset::At((low * high).sqrt()))
    }

    /// Where to ask next, so that what is left is not wider than `most`; nowhere, if no whole number lies between.
    fn next(&self, search: &Search, most: f64) -> Option<u64> {
        let (low, high) = (self.low.traffic, self.high.traffic);
        let (width, aim) = (self.width(), search.tolerance.ln_1p());
        let middle = (low as f64).ln() + width / 2.0;
        let at = self.guess().map_or(middle, |guess| {
            let guess = guess.ln();
            let change = self
                .last
                .map_or(0.0, |last| (guess - (last as f64).ln()).abs());
            let nudge = match search.smooth {
                true => 0.0,
                false => NUDGE * aim + DOUBT * change,
            };
            let room = (most - width / 2.0).max(0.0);
            let from_middle = ((guess - middle).abs() - nudge).clamp(0.0, room);
            middle + from_middle.copysign(guess - middle)
        });
        (high - low > 1).then(|| (at.exp().round() as u64).clamp(low + 1, high - 1))
    }

    /// Where the margin of something smooth is 0, if that is near where it was asked last.
    fn settled(&self, aim: f64) -> Option<f64> {
        let last = self.last?;
        if self.low.margin == 0.0 && self.low.traffic == last {
            return Some(last as f64);
        }
        let is_near = |x: &f64| (x / last as f64).ln().abs() <= aim;
        self.guess().filter(is_near)
    }

    /// Where between the ends the margin is likely to be 0.
    fn guess(&self) -> Option<f64> {
        let (low, high) = (self.low, self.high);
        let is_between = |x: &f64| (low.traffic as f64..=high.traffic as f64).contains(x);
        let line = |a: Asked, b: Asked| Some(a.zero(b)).filter(is_between);
        if low.margin < 0.0 {
            // Of the answers outside, the nearer.
            let away =
                |a: &Asked| (a.traffic as f64 / low.traffic as f64).ln() - self.width() / 2.0;
            let outside = self.below.into_iter().chain(self.above);
            let third = outside.min_by(|a, b| away(a).abs().total_cmp(&away(b).abs()));
            let curve = third.map(|third| low.zero_of_curve(high, third));
            curve.filter(is_between).or_else(|| line(low, high))
        } else {
            // The low end says nothing of how far it is.
            let above = self.above.filter(|a| a.margin > high.margin)?;
            line(high, above)
        }
    }

    /// Of the logarithms.
    fn width(&self) -> f64 {
        (self.high.traffic as f64 / self.low.traffic as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    const TOLERANCE: f64 = 0.005;

    /// What is found, and at which traffic it was asked.
    fn search(levels: &[u64], known: &[u64], margin: impl Fn(f64) -> f64) -> (Onset, Vec<u64>) {
        let search = Search {
            known,
            tolerance: TOLERANCE,
            ..Search::default()
        };
        search_by(levels, &search, margin)
    }

    fn search_by(
        levels: &[u64],
        search: &Search,
        margin: impl Fn(f64) -> f64,
    ) -> (Onset, Vec<u64>) {
        let mut asked = Vec::new();
        let found = onset(levels, search, |x| {
            asked.push(x);
            Ok::<_, Infallible>(margin(x as f64))
        });
        (found.unwrap(), asked)
    }

    /// How often bisection asks between two levels.
    fn bisections(levels: &[u64], is_above: impl Fn(f64) -> bool) -> usize {
        let at = levels.iter().position(|x| is_above(*x as f64)).unwrap();
        let (mut low, mut high) = (levels[at - 1], levels[at]);
        let mut asked = 0;
        while high as f64 / low as f64 > 1.0 + TOLERANCE {
            let middle = (low as f64 * high as f64).sqrt().round() as u64;
            match is_above(middle as f64) {
                true => high = middle,
                false => low = middle,
            }
            asked += 1;
        }
        asked
    }

    type Named = (&'static str, Box<dyn Fn(f64) -> f64>);

    /// Margins that grow with traffic, above 0 beyond a threshold.
    fn margins(threshold: f64) -> Vec<Named> {
        let t = threshold;
        vec![
            ("a line", Box::new(move |x| x / t - 1.0)),
            (
                "a line that does not begin at 0",
                Box::new(move |x| (x - t) / (3.0 * t)),
            ),
            ("a logarithm", Box::new(move |x| (x / t).ln())),
            ("a root", Box::new(move |x| (x / t).sqrt() - 1.0)),
            ("a square", Box::new(move |x| (x / t).powi(2) - 1.0)),
            (
                "a step",
                Box::new(move |x| f64::from(i8::from(x > t)) - 0.5),
            ),
            (
                "a step from 0",
                Box::new(move |x| f64::from(u8::from(x > t))),
            ),
            ("a kink", Box::new(move |x| (x - t).max(0.0))),
            (
                "a kink further down",
                Box::new(move |x| (x - t / 2.0).max(0.0) - t / 2.0),
            ),
            ("a share", Box::new(move |x| (1.0 - t / x).max(0.0))),
            (
                "plateaus",
                Box::new(move |x| ((x / t).ln() * 20.0).ceil().clamp(-3.0, 3.0)),
            ),
            (
                "nothing below",
                Box::new(move |x| if x > t { x } else { f64::NEG_INFINITY }),
            ),
            (
                "no number above",
                Box::new(move |x| if x > t { f64::INFINITY } else { x - t }),
            ),
        ]
    }

    const LEVELS: [u64; 5] = [10_000, 30_000, 100_000, 1_000_000, 10_000_000];

    proptest! {
        #[test]
        fn a_threshold_is_found_within_the_tolerance_and_almost_as_soon_as_by_bisection(
            exponent in 4.001..6.999_f64,
            known in prop::sample::subsequence(LEVELS.to_vec(), 0..=5),
        ) {
            let threshold = 10_f64.powf(exponent);
            for (name, margin) in margins(threshold) {
                let (found, mut asked) = search(&LEVELS, &known, &margin);
                let Onset::At(at) = found else { panic!("{name}: {found:?}") };
                prop_assert!((at / threshold).ln().abs() < TOLERANCE, "{name}: {at}, not {threshold}");
                asked.retain(|x| !LEVELS.contains(x));
                let most = bisections(&LEVELS, |x| margin(x) > 0.0) + 1;
                prop_assert!(asked.len() <= most, "{name}: {asked:?}, at most {most}");
            }
        }

        #[test]
        fn a_line_is_asked_three_times_at_most_between_levels(exponent in 4.1..6.9_f64) {
            let threshold = 10_f64.powf(exponent);
            for (name, margin) in margins(threshold).into_iter().take(2) {
                let (_, mut asked) = search(&LEVELS, &[], margin);
                asked.retain(|x| !LEVELS.contains(x));
                prop_assert!(asked.len() <= 3, "{name}: {asked:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_hint_leads_astray_by_three_questions_at_most(
            exponent in 4.001..6.999_f64,
            hint in 4.0..7.0_f64,
        ) {
            let threshold = 10_f64.powf(exponent);
            let search = Search {
                known: &LEVELS,
                hint: Some(10_f64.powf(hint)),
                tolerance: TOLERANCE,
                ..Search::default()
            };
            for (name, margin) in margins(threshold) {
                let (found, mut asked) = search_by(&LEVELS, &search, &margin);
                let Onset::At(at) = found else { panic!("{name}: {found:?}") };
                prop_assert!((at / threshold).ln().abs() < TOLERANCE, "{name}: {at}, not {threshold}");
                asked.retain(|x| !LEVELS.contains(x));
                let most = bisections(&LEVELS, |x| margin(x) > 0.0) + 4;
                prop_assert!(asked.len() <= most, "{name}: {asked:?}, at most {most}");
            }
        }

        /// In steps of the levels of a default sweep. Of what lies within a hundredth of the hint the first answer is enough, or
        /// the second.
        #[test]
        fn what_is_smooth_is_found_by_two_questions_near_where_another_has_found_it(
            threshold in 10_100.0..29_900_f64,
            away in -0.01..0.01_f64,
        ) {
            let levels = [10_000, 30_000, 100_000];
            let search = Search {
                known: &levels,
                hint: Some(threshold * away.exp()),
                smooth: true,
                tolerance: TOLERANCE,
            };
            for (name, margin) in margins(threshold).into_iter().take(5) {
                let (found, mut asked) = search_by(&levels, &search, &margin);
                let Onset::At(at) = found else { panic!("{name}: {found:?}") };
                let off = (at / threshold).ln().abs();
                prop_assert!(off < 0.6 * TOLERANCE, "{name}: {at}, not {threshold}");
                asked.retain(|x| !levels.contains(x));
                prop_assert!(asked.len() <= 2, "{name}: {asked:?}");
                let alone = Search { hint: None, ..search };
                let Onset::At(at) = search_by(&levels, &alone, &margin).0 else { panic!("{name}") };
                let off = (at / threshold).ln().abs();
                prop_assert!(off < 0.6 * TOLERANCE, "{name} without a hint: {at}, not {threshold}");
            }
        }
    }

    #[test]
    fn what_is_smooth_takes_less_than_five_questions_between_levels_on_average() {
        let levels = [10_000, 30_000, 100_000];
        let thresholds: Vec<f64> = (1..100)
            .map(|i| 10_000.0 * (0.023 * f64::from(i)).exp())
            .collect();
        for kind in 0..5 {
            let mut all = 0;
            for threshold in &thresholds {
                let (_, asked) = search(&levels, &levels, &margins(*threshold)[kind].1);
                all += asked.iter().filter(|x| !levels.contains(x)).count();
            }
            let mean = all as f64 / thresholds.len() as f64;
            assert!(mean < 5.0, "{}: {mean}", margins(1.0)[kind].0);
        }
    }

    /// It begins almost a hundredth beyond the hint, and no side tells how far.
    #[test]
    fn where_no_line_tells_anything_it_is_asked_a_little_further_on_than_the_hint() {
        let step = |x: f64| f64::from(u8::from(x > 50_400.0));
        let asked_with = |hint: Option<f64>| {
            let search = Search {
                known: &[10_000, 100_000],
                hint,
                tolerance: TOLERANCE,
                ..Search::default()
            };
            search_by(&[10_000, 100_000], &search, step).1.len() - 2
        };
        assert_eq!((asked_with(None), asked_with(Some(5e4))), (9, 3));
    }

    #[test]
    fn what_is_known_narrows_the_bracket_for_nothing() {
        let known = [5_000, 10_000, 40_000, 49_990, 50_010, 90_000, 100_000];
        let (found, asked) = search(&[10_000, 100_000], &known, |x| f64::from(u8::from(x > 5e4)));
        assert!(asked.iter().all(|x| known.contains(x)), "{asked:?}");
        assert!(
            matches!(found, Onset::At(at) if (at / 5e4 - 1.0).abs() < 1e-3),
            "{found:?}"
        );
        // Two answers above tell where a kink is, whose low side is flat: bisection would ask nine times.
        let kink = |x: f64| (x - 5e4).max(0.0);
        let (_, asked) = search(&[10_000, 100_000], &[10_000, 100_000, 300_000], kink);
        assert_eq!(asked.len() - 3, 2, "{asked:?}");
        // Of several places where it begins, the first.
        let (found, _) = search(
            &[10, 1_000_000],
            &[10, 100, 1_000, 10_000, 1_000_000],
            |x| {
                if x > 80.0 && x < 200.0 || x > 5e3 {
                    1.0
                } else {
                    -1.0
                }
            },
        );
        assert!(
            matches!(found, Onset::At(at) if (at / 80.0 - 1.0).abs() < 0.02),
            "{found:?}"
        );
    }

    #[test]
    fn the_ends_of_the_range_and_whole_requests_are_the_limits() {
        let find = |levels: &[u64], threshold: f64| search(levels, &[], |x| x - threshold).0;
        let levels = [10_000, 100_000, 1_000_000];
        assert_eq!(find(&levels, 9_999.0), Onset::Already);
        assert_eq!(find(&levels, 1_000_000.0), Onset::Never);
        assert_eq!(search(&levels, &[], |_| f64::NAN).0, Onset::Never);
        // Whole requests are the finest there is.
        for threshold in [1.5, 2.5, 3.5] {
            let Onset::At(x) = find(&[1, 4], threshold) else {
                panic!()
            };
            assert!((x - threshold).abs() <= 0.5, "{x}");
        }
        // Nothing is asked twice, however near to an end it begins.
        for threshold in [100.1, 100.9, 299.1, 299.9] {
            let (_, mut asked) = search(&[100, 300], &[], |x| x - threshold);
            let all = asked.len();
            asked.sort_unstable();
            asked.dedup();
            assert_eq!(asked.len(), all, "{threshold}: {asked:?}");
        }
    }

    #[test]
    fn between_runs_of_levels_nothing_begins() {
        let find = |runs: &[Vec<u64>], threshold: f64| {
            let margin = |x: u64| Ok::<_, Infallible>(x as f64 - threshold);
            let search = Search {
                tolerance: 0.001,
                ..Search::default()
            };
            onset_of_runs(runs, 10, &search, margin).unwrap()
        };
        let runs = [vec![10, 20], vec![80, 160]];
        assert_eq!(find(&runs, 9.5), Onset::Already);
        // Somewhere from 20 to 80: the first level at which it is known to hold.
        assert_eq!(find(&runs, 40.0), Onset::At(80.0));
        assert_eq!(find(&runs[1..], 40.0), Onset::At(80.0));
        assert_eq!(find(&runs, 170.0), Onset::Never);
        assert_eq!(find(&[], 10.0), Onset::Never);
        let Onset::At(x) = find(&runs, 100.5) else {
            panic!()
        };
        assert!((99.0..=102.0).contains(&x), "{x}");
    }
}
