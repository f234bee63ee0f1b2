//! Searches over margins of many forms.

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

fn search_by(levels: &[u64], search: &Search, margin: impl Fn(f64) -> f64) -> (Onset, Vec<u64>) {
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
    /// A hint leads astray by three questions at most.
    #[test]
    fn a_threshold_is_found_within_the_tolerance_and_almost_as_soon_as_by_bisection(
        exponent in 4.001..6.999_f64,
        known in prop::sample::subsequence(LEVELS.to_vec(), 0..=5),
        hint in prop::option::of(4.0..7.0_f64),
    ) {
        let threshold = 10_f64.powf(exponent);
        let search = Search {
            known: &known,
            hint: hint.map(|hint| 10_f64.powf(hint)),
            smooth: false,
            tolerance: TOLERANCE,
        };
        for (name, margin) in margins(threshold) {
            let (found, mut asked) = search_by(&LEVELS, &search, &margin);
            let Onset::At(at) = found else { panic!("{name}: {found:?}") };
            prop_assert!((at / threshold).ln().abs() < TOLERANCE, "{name}: {at}, not {threshold}");
            asked.retain(|x| !LEVELS.contains(x));
            let astray = if hint.is_some() { 3 } else { 0 };
            let most = bisections(&LEVELS, |x| margin(x) > 0.0) + 1 + astray;
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

/// What levels off, what rises again after that, what never quite does, each at its quota at `t`.
fn uses(t: f64, beyond: f64) -> Vec<Named> {
    let saturating = 3.0 * t * beyond;
    vec![
        (
            "a plateau",
            Box::new(move |x| (x / t).min(1.0 + beyond) - 1.0),
        ),
        (
            "a plateau below",
            Box::new(move |x| {
                (x / (t * (1.0 - beyond) / 2.0))
                    .min(1.0 - beyond)
                    .max(x / t)
                    - 1.0
            }),
        ),
        (
            "a share of what comes",
            Box::new(move |x| (1.0 + saturating / t) * x / (x + saturating) - 1.0),
        ),
    ]
}

proptest! {
    /// With levels close together and far apart, alone and with a hint that is a tenth off. Were it enough that the line says
    /// where it begins, a plateau above would be found at several times less.
    #[test]
    fn a_use_that_levels_off_is_found_where_it_is_what_it_is_held_against(
        exponent in 4.1..5.9_f64,
        beyond in 0.02..0.6_f64,
        away in prop::option::of(-0.1..0.1_f64),
        sparse in any::<bool>(),
    ) {
        let threshold = 10_f64.powf(exponent);
        let levels: &[u64] = match sparse {
            true => &[10_000, 1_000_000, 100_000_000],
            false => &[10_000, 30_000, 100_000, 300_000, 1_000_000],
        };
        let search = Search {
            known: levels,
            hint: away.map(|away| threshold * away.exp()),
            smooth: true,
            tolerance: TOLERANCE,
        };
        for (name, margin) in uses(threshold, beyond) {
            let (found, asked) = search_by(levels, &search, &margin);
            let Onset::At(at) = found else { panic!("{name}: {found:?}") };
            let off = (at / threshold).ln().abs();
            prop_assert!(off < 2.0 * TOLERANCE, "{name}: {at}, not {threshold}: {asked:?}");
        }
    }
}
