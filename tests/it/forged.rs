//! Shards that somebody has changed and given the checksums that belong to what is in them now: they are refused,
//! with the line and the field, or taken for what they say.

use crate::mutation::{mutate, random};
use kvplan::models::parse_overrides;
use kvplan::models::quantity::Count;
use kvplan::report::write::summary::summary;
use kvplan::report::write::sweep::{replications_csv, sweep_csv};
use kvplan::run::measure::Outcome;
use kvplan::run::scenario::Scenario;
use kvplan::sim::random::StreamRng;
use kvplan::study::answers::answers;
use kvplan::study::grid::{Grid, Measured, Part, Unit};
use kvplan::study::partial::record::Header;
use kvplan::study::partial::shard::{Shard, decode, encode, merge};
use kvplan::study::replicate::Work;
use kvplan::study::sweep::{Watch, cells, measure};
use rand::RngExt;
use std::panic::catch_unwind;
use std::sync::OnceLock;

/// A whole sweep of two levels, two policies and two replications, in one shard.
pub(crate) fn shard() -> &'static (Header, Measured) {
    static SHARD: OnceLock<(Header, Measured)> = OnceLock::new();
    SHARD.get_or_init(|| {
        let settings = ["period.requests=50", "period.calls=0", "replications=2"];
        let settings = parse_overrides(&settings.map(str::to_owned)).unwrap();
        let scenario = Scenario::load("default", &[], None, &settings).unwrap();
        let levels = [Count(1_000), Count(100_000)];
        let grid = Grid {
            scenario: &scenario,
            levels: &levels,
        };
        let watch = Watch {
            planned: &|_| (),
            keep: &|_, _| Ok(()),
            work: Work::unwatched(),
        };
        let measured = measure(&grid, Part::WHOLE, Measured::new(), &watch).unwrap();
        (Header::new(&scenario, &levels, Part::WHOLE), measured)
    })
}

/// What `kvplan merge` makes of the bytes of a shard; or what it says.
fn merged(bytes: &[u8]) -> Result<String, String> {
    let of_file = |shard: Shard| ("a.kvshard".to_owned(), shard);
    let shard = decode(bytes).map_err(|e| e.to_string())?;
    let whole = merge(vec![of_file(shard)]).map_err(|e| e.to_string())?;
    let grid = Grid {
        scenario: &whole.scenario,
        levels: &whole.levels,
    };
    let cells = cells(&grid, &whole.measured);
    let mut csv = sweep_csv(&whole.scenario, &cells);
    csv.extend(replications_csv(&whole.scenario, &cells));
    let answers = serde_json::to_string(&answers(&whole.scenario.plan, &cells)).unwrap();
    Ok(String::from_utf8(csv).unwrap() + &answers + &summary(&cells).to_string())
}

/// A header with something changed, and the checksum that belongs to it; none if no such header can be read.
fn forged_header(header: &Header, rng: &mut StreamRng) -> Option<Header> {
    let mut tree = serde_json::to_value(header).unwrap();
    match rng.random_bool(0.7) {
        true => mutate(tree.pointer_mut("/sweep/scenario").unwrap(), rng),
        false => mutate(&mut tree, rng),
    }
    let header: Header = serde_json::from_value(tree).ok()?;
    Some(header.sealed())
}

fn odd_number(rng: &mut StreamRng) -> f64 {
    let all = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        5e-324,
        -1.0,
        0.0,
        -0.0,
        1e18,
    ];
    all[rng.random_range(0..all.len())]
}

fn forge_outcome(outcome: &mut Outcome, rng: &mut StreamRng) {
    match rng.random_range(0..5) {
        0 | 1 => {
            for _ in 0..rng.random_range(1..=20) {
                let at = rng.random_range(0..outcome.terms.len());
                let term = &mut outcome.terms[at];
                match rng.random_range(0..4) {
                    0 => term.value = odd_number(rng),
                    1 => term.numerator = odd_number(rng),
                    2 => term.denominator = odd_number(rng),
                    _ => term.cluster = odd_number(rng),
                }
            }
        }
        2 => {
            let bins = [
                "[[0,1]]",
                "[[18446744073709551615,1]]",
                "[[1,281474976710655],[2,281474976710655]]",
                "[[5,18446744073709551615],[6,18446744073709551615]]",
                "[[5,1],[5,1]]",
                "[[5,0]]",
                "[]",
                "[[3,7],[9223372036854775808,1000]]",
            ];
            let bins = bins[rng.random_range(0..bins.len())];
            let at = rng.random_range(0..outcome.latencies.len());
            outcome.latencies[at] = serde_json::from_str(bins).unwrap();
        }
        3 => {
            let amounts = [
                "340282366920938463463374607431768211455",
                "0",
                "1000000000000000000000000000",
                "18446744073709551616",
            ];
            let amount = amounts[rng.random_range(0..amounts.len())];
            let item = ["kv.reads", "kv.storage", "workers.requests", "r2.storage"];
            let item = item[rng.random_range(0..item.len())];
            let json = format!("{{\"{item}\":{amount}}}");
            outcome.usage = serde_json::from_str(&json).unwrap();
        }
        _ => match rng.random_bool(0.5) {
            true => _ = outcome.terms.pop(),
            false => outcome.latencies.clear(),
        },
    }
}

/// The bytes of a shard in which something is forged.
pub(crate) fn forge(case: u64) -> Option<Vec<u8>> {
    let mut rng = random("forged", case);
    let (mut header, mut measured) = shard().clone();
    match rng.random_range(0..4) {
        0 | 1 => header = forged_header(&header, &mut rng)?,
        2 => {
            for outcome in measured.values_mut() {
                if rng.random_bool(0.5) {
                    forge_outcome(outcome, &mut rng);
                }
            }
        }
        _ => {
            let unit = Unit {
                level: rng.random_range(0..3),
                policy: [0, 1, 2, u32::MAX][rng.random_range(0..4)],
                replication: [0, 1, 2, u32::MAX][rng.random_range(0..4)],
            };
            let outcome = measured.values().next().cloned()?;
            match rng.random_bool(0.5) {
                true => _ = measured.insert(unit, outcome),
                false => _ = measured.pop_first(),
            }
        }
    }
    Some(encode(&header, &measured))
}

/// Neither a panic nor a number that is none; what is refused is told by its place.
pub(crate) fn check(case: u64) {
    let Some(bytes) = forge(case) else { return };
    let result = catch_unwind(|| merged(&bytes));
    let result = result.unwrap_or_else(|_| panic!("forged shard {case}: a panic"));
    match result {
        Ok(text) => {
            let mut words = text.split(|c: char| !c.is_alphanumeric());
            let none = words.find(|w| ["inf", "NaN", "nan"].contains(w));
            assert_eq!(none, None, "forged shard {case}");
        }
        Err(said) => {
            let place = [
                "line ",
                "format ",
                "written by ",
                "level ",
                "shard",
                "units",
                "measures",
                "first line",
            ];
            let named = place.iter().any(|p| said.contains(p));
            assert!(named && said.len() < 60_000, "forged shard {case}: {said}");
        }
    }
}

#[test]
fn what_is_true_is_merged() {
    let (header, measured) = shard();
    merged(&encode(header, measured)).unwrap();
}

/// What once panicked, aborted or ran for ever.
#[test]
fn a_checksum_is_no_proof() {
    let forged = |change: &dyn Fn(&mut Header, &mut Measured)| {
        let (mut header, mut measured) = shard().clone();
        change(&mut header, &mut measured);
        let header = header.sealed();
        merged(&encode(&header, &measured)).unwrap_err()
    };
    let said = forged(&|h, _| h.sweep.scenario.plan = "none".into());
    assert!(
        said.starts_with("line 1: field `sweep.scenario.plan`: found \"none\""),
        "{said}"
    );
    let said = forged(&|h, _| h.sweep.scenario.policies.clear());
    assert!(
        said.contains("field `sweep.scenario.policies`: found none"),
        "{said}"
    );
    let said = forged(&|h, _| h.sweep.scenario.replications = u32::MAX);
    assert!(
        said.contains("field `sweep.scenario.replications`: found 4294967295"),
        "{said}"
    );
    let said = forged(&|h, _| h.sweep.scenario.replications = 1_000_000);
    assert!(
        said.contains("the shards have 8 units, expected 4000000 at least"),
        "{said}"
    );
    let said = forged(&|h, _| h.sweep.levels.clear());
    assert!(said.contains("field `sweep.levels`"), "{said}");
    let said = forged(&|h, _| _ = h.sweep.measures.pop());
    assert!(said.contains("field `sweep.measures`"), "{said}");
    let said = forged(&|h, _| h.of = u32::MAX);
    assert!(
        said.contains("field `shard`: found shard 1 of 4294967295"),
        "{said}"
    );
    let said = forged(&|h, _| {
        let period = &mut h.sweep.scenario.period;
        std::mem::swap(&mut period.at_least, &mut period.at_most);
    });
    assert!(
        said.contains("field `sweep.scenario.period.at_least`"),
        "{said}"
    );
    let most = "{\"kv.reads\":340282366920938463463374607431768211455}";
    let said = forged(&|_, measured| {
        for outcome in measured.values_mut() {
            outcome.usage = serde_json::from_str(most).unwrap();
        }
    });
    assert!(
        said.contains("line 2: field `bits`: found a usage"),
        "{said}"
    );
    let said = forged(&|_, measured| {
        for outcome in measured.values_mut() {
            let bins = "[[5,281474976710655],[6,281474976710655]]";
            outcome.latencies[0] = serde_json::from_str(bins).unwrap();
        }
    });
    assert!(
        said.contains("line 2: field `bits`: found latencies"),
        "{said}"
    );
}
