//! Shards: the complete results of one part of a sweep, and putting all of them together.

use super::error::PartialError;
use super::record::{Closing, Header, entry_line, parse_entry};
use crate::models::quantity::Count;
use crate::run::scenario::Scenario;
use crate::study::grid::{Grid, Measured, Part, Unit};

/// The ending of a shard's file name.
pub const EXTENSION: &str = "kvshard";

/// The name of a part's file.
pub fn file_name(part: Part) -> String {
    format!("shard-{}-of-{}.{EXTENSION}", part.index, part.of)
}

/// The results of one part of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Shard {
    /// What it belongs to.
    pub header: Header,
    /// The outcome of each of its units.
    pub measured: Measured,
}

/// The bytes of a shard's file.
pub fn encode(header: &Header, measured: &Measured) -> Vec<u8> {
    let mut bytes = header.line().into_bytes();
    for (unit, values) in measured {
        bytes.extend(entry_line(&header.sweep_sha256, *unit, values).bytes());
    }
    let closing = Closing::of(measured.len(), &bytes);
    bytes.extend(closing.line().bytes());
    bytes
}

/// Reads a shard's file.
///
/// # Errors
/// What was found and what was expected, without the file's name.
pub fn decode(bytes: &[u8]) -> Result<Shard, PartialError> {
    const CUT: &str = "is cut off or damaged: found no closing line, expected one with the number and the checksum of all units";
    let text = std::str::from_utf8(bytes)
        .map_err(|_| PartialError::shard("is damaged: found bytes that are not text"))?;
    let mut lines = text.lines();
    let first = lines
        .next()
        .ok_or_else(|| PartialError::shard("is empty, expected a shard"))?;
    let header = match Header::parse(first) {
        Err(_) if bytes.starts_with(b"{\"kvplan_partial\"") && !text.contains('\n') => {
            return Err(PartialError::shard(CUT));
        }
        header => header?,
    };
    let closing: Option<Closing> = lines
        .next_back()
        .filter(|_| text.ends_with('\n'))
        .and_then(|last| serde_json::from_str(last).ok());
    let closing = closing.ok_or_else(|| PartialError::shard(CUT))?;
    let entries: Vec<&str> = lines.collect();
    // The closing line as it would be written may be longer than the one that was read.
    let before = bytes.len().checked_sub(closing.line().len());
    let before = before.ok_or_else(|| PartialError::shard(CUT))?;
    let found = Closing::of(entries.len(), &bytes[..before]);
    if found.sha256 != closing.sha256 {
        return Err(PartialError::shard(format!(
            "is damaged: found the SHA-256 {}, expected {}",
            found.sha256, closing.sha256
        )));
    }
    if found.units != closing.units {
        return Err(PartialError::shard(format!(
            "is damaged: found {} units, expected {}",
            found.units, closing.units
        )));
    }
    let mut measured = Measured::new();
    for (i, line) in entries.iter().enumerate() {
        let wrong = |why: String| PartialError::shard(format!("line {}: {why}", i + 2));
        let (unit, values) = parse_entry(&header.sweep_sha256, line).map_err(wrong)?;
        if measured.insert(unit, values).is_some() {
            return Err(wrong("field `unit`: is there twice".into()));
        }
    }
    Ok(Shard { header, measured })
}

/// Units that may be missing for each to be looked for.
const MOST_MISSING: u64 = 1_000_000;

/// A sweep whose units have all been measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// What was simulated.
    pub scenario: Scenario,
    /// Requests a month.
    pub levels: Vec<Count>,
    /// The outcome of every unit.
    pub measured: Measured,
}

/// Puts the shards of a sweep, each with the name of its file, together.
///
/// # Errors
/// A message that names the file at fault, with what was found and what was expected: a shard
/// of another sweep, one that is there twice or not at all, or one without all of its units.
pub fn merge(shards: Vec<(String, Shard)>) -> Result<Whole, PartialError> {
    let (first_name, first) = shards
        .first()
        .ok_or_else(|| PartialError::shard("found no shard, expected all of them"))?;
    let header = first.header.clone();
    let of = header.of;
    for (name, shard) in &shards {
        if let Some(difference) = shard.header.difference(&header) {
            return Err(PartialError::shard(format!(
                "{name}: is of another sweep than {first_name}: {difference}"
            )));
        }
        if shard.header.of != of {
            return Err(PartialError::shard(format!(
                "{name}: found a shard of {}, expected one of {of} as in {first_name}",
                shard.header.of
            )));
        }
    }
    let mut files: Vec<Option<&str>> = vec![None; of as usize];
    for (name, shard) in &shards {
        let index = shard.header.shard;
        if let Some(other) = files[index as usize - 1].replace(name) {
            return Err(PartialError::shard(format!(
                "{name}: found shard {index} of {of} again, which is in {other} already; expected each once"
            )));
        }
    }
    let numbers = |there: bool| {
        let numbers = (1..=of).filter(|i| files[*i as usize - 1].is_some() == there);
        let numbers: Vec<String> = numbers.map(|i| i.to_string()).collect();
        match numbers.len() {
            0..=20 => numbers.join(", "),
            n => format!("{} and {} more", numbers[..20].join(", "), n - 20),
        }
    };
    if files.contains(&None) {
        return Err(PartialError::shard(format!(
            "shard {} of {of} is missing; found {}, expected all {of}",
            numbers(false),
            numbers(true)
        )));
    }
    let Header { sweep, .. } = header;
    let grid = Grid {
        scenario: &sweep.scenario,
        levels: &sweep.levels,
    };
    let file_of = |unit: Unit| {
        let of_unit = |(_, shard): &&(String, Shard)| grid.belongs(unit, shard.header.part());
        shards.iter().find(of_unit).map_or("", |(name, _)| name)
    };
    let mut known = Measured::new();
    for (name, shard) in &shards {
        for (unit, values) in &shard.measured {
            if !grid.belongs(*unit, shard.header.part()) {
                return Err(PartialError::shard(format!(
                    "{name}: has {}, which is not its own",
                    grid.name(*unit)
                )));
            }
            known.insert(*unit, values.clone());
        }
    }
    let units = known.len();
    // Before as many are listed as a header asks for: what it says need not be true.
    let least = grid.least_units();
    if least > units as u64 + MOST_MISSING {
        return Err(PartialError::shard(format!(
            "{first_name}: the shards have {units} units, expected {least} at least"
        )));
    }
    let measured = grid.complete(Part::WHOLE, known, |missing| match missing.first() {
        None => Ok(Vec::new()),
        Some(unit) => Err(PartialError::shard(format!(
            "{}: lacks {}",
            file_of(*unit),
            grid.name(*unit)
        ))),
    })?;
    if measured.len() != units {
        return Err(PartialError::shard(format!(
            "the shards have {units} units, expected {}",
            measured.len()
        )));
    }
    Ok(Whole {
        scenario: sweep.scenario,
        levels: sweep.levels,
        measured,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::parse_overrides;
    use crate::run::measure::Outcome;
    use crate::run::metric::METRICS;
    use crate::sim::random::Streams;
    use crate::study::fixtures;
    use proptest::prelude::*;
    use rand_distr::{Distribution, Normal};

    fn scenario(settings: &[&str]) -> Scenario {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        Scenario::load("default", &[], None, &parse_overrides(&settings).unwrap()).unwrap()
    }

    const LEVELS: [Count; 3] = [Count(10), Count(20), Count(30)];

    /// Values that depend on the unit alone, as those of a simulation do.
    fn outcome(unit: &Unit) -> Outcome {
        let name = format!("{unit:?}");
        let mut rng = Streams::new(1, 0).stream(&name);
        let normal = Normal::new(1.0, 0.1 * f64::from(1 + unit.level)).unwrap();
        let mut values: Vec<f64> = METRICS.iter().map(|_| normal.sample(&mut rng)).collect();
        values[3] = f64::NAN;
        fixtures::outcome(&values)
    }

    fn measure(grid: &Grid, part: Part) -> Measured {
        let compute = |units: &[Unit]| Ok::<_, ()>(units.iter().map(outcome).collect());
        grid.complete(part, Measured::new(), compute).unwrap()
    }

    fn shards(scenario: &Scenario, of: u32) -> Vec<(String, Shard)> {
        let grid = Grid {
            scenario,
            levels: &LEVELS,
        };
        let shard = |index| {
            let part = Part { index, of };
            let header = Header::new(scenario, &LEVELS, part);
            let bytes = encode(&header, &measure(&grid, part));
            (file_name(part), decode(&bytes).unwrap())
        };
        (1..=of).map(shard).collect()
    }

    fn bits(measured: &Measured) -> Vec<(Unit, Vec<u64>)> {
        measured
            .iter()
            .map(|(u, o)| (*u, fixtures::bits(o)))
            .collect()
    }

    /// However many parts there are, more than units among them, with a fixed number of
    /// replications and with one that the values decide on.
    #[test]
    fn parts_are_disjoint_and_together_the_whole() {
        let precise = "precision={relative=\"2%\",max_replications=70}";
        for scenario in [scenario(&["replications=4"]), scenario(&[precise])] {
            let grid = Grid {
                scenario: &scenario,
                levels: &LEVELS,
            };
            let whole = measure(&grid, Part::WHOLE);
            for of in [1, 2, 3, 5, 24, 40] {
                let shards = shards(&scenario, of);
                let units: usize = shards.iter().map(|s| s.1.measured.len()).sum();
                assert_eq!(units, whole.len());
                let merged = merge(shards).unwrap();
                assert_eq!(bits(&merged.measured), bits(&whole), "{of} shards");
                assert_eq!(merged.scenario, scenario);
            }
        }
    }

    /// A fixed number of replications is dealt out evenly.
    #[test]
    fn parts_are_of_one_size() {
        let scenario = scenario(&["replications=10"]);
        for of in [2, 3, 7, 10] {
            let sizes = shards(&scenario, of)
                .into_iter()
                .map(|s| s.1.measured.len());
            let sizes: Vec<usize> = sizes.collect();
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(most - least <= 1, "{sizes:?}");
        }
    }

    #[test]
    fn a_shard_without_all_of_its_units_is_refused() {
        let scenario = scenario(&["replications=4"]);
        let mut all = shards(&scenario, 3);
        let unit = *all[1].1.measured.keys().next().unwrap();
        let values = all[1].1.measured.remove(&unit).unwrap();
        assert_eq!(
            merge(all.clone()).unwrap_err().to_string(),
            "shard-2-of-3.kvshard: lacks level 10, policy naive, replication 1"
        );
        all[2].1.measured.insert(unit, values.clone());
        assert_eq!(
            merge(all.clone()).unwrap_err().to_string(),
            "shard-3-of-3.kvshard: has level 10, policy naive, replication 1, which is not its own"
        );
        let mut all = shards(&scenario, 1);
        let unit = Unit {
            replication: 4,
            ..unit
        };
        all[0].1.measured.insert(unit, values);
        assert_eq!(
            merge(all).unwrap_err().to_string(),
            "the shards have 25 units, expected 24"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Whatever byte is changed and wherever the file is cut off.
        #[test]
        fn a_damaged_shard_is_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let scenario = scenario(&["replications=1"]);
            let part = Part { index: 1, of: 2 };
            let grid = Grid { scenario: &scenario, levels: &LEVELS };
            let bytes = encode(&Header::new(&scenario, &LEVELS, part), &measure(&grid, part));
            prop_assert!(decode(&bytes).is_ok());
            let at = at.index(bytes.len());
            prop_assert!(decode(&bytes[..at]).is_err());
            let mut damaged = bytes.clone();
            damaged[at] = byte;
            prop_assert!(damaged == bytes || decode(&damaged).is_err());
        }
    }
}
