//! The lines of partial results.

use super::error::PartialError;
use crate::models::quantity::Count;
use crate::pricing::MeterItem;
use crate::run::measure::{Outcome, calls_of};
use crate::run::metric::METRICS;
use crate::run::scenario::{MOST_TRAFFIC, Scenario};
use crate::sim::latencies::Bins;
use crate::study::grid::{Part, Unit};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the lines below.
pub const FORMAT: u32 = 3;

/// All that decides on the values of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Names of the measures, in the order of their values.
    pub measures: Vec<String>,
    /// Recorded requests in a month of 30 days.
    pub levels: Vec<Count>,
    /// With everything that its file names.
    pub scenario: Scenario,
}

/// The first line: what the units that follow belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`] of the file.
    pub kvplan_partial: u32,
    /// Version of kvplan that simulated.
    pub kvplan: String,
    /// SHA-256 of the version and the sweep: equal for partial results that fit together.
    pub sweep_sha256: String,
    /// Part of the sweep, from 1.
    pub shard: u32,
    /// Parts that the sweep was dealt out into.
    pub of: u32,
    /// What is simulated.
    pub sweep: Sweep,
}

impl Header {
    /// The header of a part of a sweep that this kvplan simulates.
    pub fn new(scenario: &Scenario, levels: &[Count], part: Part) -> Self {
        let sweep = Sweep {
            measures: METRICS.iter().map(|m| m.name.to_owned()).collect(),
            levels: levels.to_vec(),
            scenario: scenario.clone(),
        };
        let kvplan = env!("CARGO_PKG_VERSION").to_owned();
        Header {
            kvplan_partial: FORMAT,
            sweep_sha256: sweep_hash(&kvplan, &sweep),
            kvplan,
            shard: part.index,
            of: part.of,
            sweep,
        }
    }

    /// The part of the sweep.
    pub fn part(&self) -> Part {
        Part {
            index: self.shard,
            of: self.of,
        }
    }

    /// The line, with its end.
    pub fn line(&self) -> String {
        json_line(self)
    }

    /// Reads a first line.
    ///
    /// # Errors
    /// What was found and what was expected, without the file's name.
    pub fn parse(line: &str) -> Result<Self, PartialError> {
        /// What all versions of a header have.
        #[derive(Deserialize)]
        struct Versions {
            kvplan_partial: u32,
            kvplan: String,
        }
        let versions: Versions = serde_json::from_str(line).map_err(|_| {
            PartialError::shard("is not a partial result of kvplan, or its first line is damaged")
        })?;
        if versions.kvplan_partial != FORMAT {
            return Err(PartialError::shard(format!(
                "found format {} (kvplan {}), expected {FORMAT}",
                versions.kvplan_partial, versions.kvplan
            )));
        }
        let version = env!("CARGO_PKG_VERSION");
        if versions.kvplan != version {
            return Err(PartialError::shard(format!(
                "was written by kvplan {}, expected {version}: the versions may simulate differently",
                versions.kvplan
            )));
        }
        let header: Header = serde_json::from_str(line)
            .map_err(|e| PartialError::shard(format!("its first line cannot be read ({e})")))?;
        let hash = sweep_hash(&header.kvplan, &header.sweep);
        if hash != header.sweep_sha256 {
            return Err(PartialError::shard(format!(
                "its first line is damaged: the scenario has the SHA-256 {hash}, expected {}",
                header.sweep_sha256
            )));
        }
        header.validate()?;
        Ok(header)
    }

    /// The same with the checksum that belongs to what it holds.
    pub fn sealed(mut self) -> Self {
        self.sweep_sha256 = sweep_hash(&self.kvplan, &self.sweep);
        self
    }

    /// A checksum is no proof: whoever changes a line can make the one that belongs to it.
    fn validate(&self) -> Result<(), PartialError> {
        let wrong = |field: &str, message: String| {
            PartialError::shard(format!("line 1: field `{field}`: {message}"))
        };
        if Part::new(self.shard, self.of).is_none() {
            let found = format!("found shard {} of {}", self.shard, self.of);
            return Err(wrong("shard", format!("{found}, expected a number from 1")));
        }
        let ours = METRICS.iter().map(|m| m.name);
        if !self.sweep.measures.iter().map(String::as_str).eq(ours) {
            let message = "found others than this kvplan has, expected those";
            return Err(wrong("sweep.measures", message.into()));
        }
        let levels = &self.sweep.levels;
        let good = |level: &Count| *level > Count(0) && *level <= MOST_TRAFFIC;
        if levels.is_empty() || !levels.iter().all(good) {
            let message = format!("found none, or others than from 1 to {MOST_TRAFFIC}");
            return Err(wrong("sweep.levels", message));
        }
        let scenario = self.sweep.scenario.validate();
        scenario.map_err(|e| wrong(&format!("sweep.scenario.{}", e.field), e.message))
    }

    /// Where the sweeps of two headers differ first, as text; `None` if they are one sweep.
    pub fn difference(&self, expected: &Header) -> Option<String> {
        if self.sweep_sha256 == expected.sweep_sha256 {
            return None;
        }
        let (mut found, mut expected) = (value(&self.sweep), value(&expected.sweep));
        let all = first_difference("", &found, &expected);
        // How the options were written tells less than what they have changed.
        for sweep in [&mut found, &mut expected] {
            sweep["scenario"]["arguments"].take();
        }
        let settings = first_difference("", &found, &expected);
        Some(settings.or(all).unwrap_or_else(|| "another version".into()))
    }
}

fn value(sweep: &Sweep) -> serde_json::Value {
    serde_json::to_value(sweep).expect("models are trees of text and numbers")
}

/// Path, found and expected value of the first difference.
fn first_difference(
    path: &str,
    found: &serde_json::Value,
    expected: &serde_json::Value,
) -> Option<String> {
    use serde_json::Value::{Array, Null, Object};
    let step = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    match (found, expected) {
        (found, expected) if found == expected => None,
        (Object(a), Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
            let of = |fields: &serde_json::Map<_, _>, name: &String| -> serde_json::Value {
                fields.get(name).cloned().unwrap_or(Null)
            };
            names
                .filter_map(|name| first_difference(&step(name), &of(a, name), &of(b, name)))
                .next()
        }
        (Array(a), Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(i, (a, b))| first_difference(&format!("{path}[{i}]"), a, b)),
        _ => Some(format!("`{path}`: found {found}, expected {expected}")),
    }
}

fn sweep_hash(version: &str, sweep: &Sweep) -> String {
    let text = serde_json::to_string(&(FORMAT, version, sweep));
    hex(&Sha256::digest(
        text.expect("models are trees of text and numbers"),
    ))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    // Without a formatter for each byte: what is kept of a replication has tens of thousands.
    let digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    digits.map(|digit| DIGITS[usize::from(digit)]).collect()
}

/// The bytes of hexadecimal digits; `None` if it is anything else.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

pub(super) fn json_line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("lines are trees of text and numbers");
    line.push('\n');
    line
}

/// The line of a unit.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Numbers of level, policy and replication, from 0.
    unit: [u32; 3],
    /// See [`bits_of`].
    bits: String,
    /// First digits of the SHA-256 of sweep, unit and bits.
    check: String,
}

/// The line of a unit of the sweep with this hash, with its end.
pub fn entry_line(sweep_sha256: &str, unit: Unit, outcome: &Outcome) -> String {
    let unit = [unit.level, unit.policy, unit.replication];
    let bits = bits_of(outcome);
    let check = entry_check(sweep_sha256, unit, &bits);
    json_line(&Entry { unit, bits, check })
}

/// Most of an item that a month uses: as many nanoseconds as the world is old, and more.
const MOST_USED: u128 = 10_u128.pow(27);

/// Reads the line of a unit.
///
/// # Errors
/// In words that follow the number of the line: it is damaged, belongs to another sweep, or holds what no
/// simulation gives.
pub(super) fn parse_entry(sweep_sha256: &str, line: &str) -> Result<(Unit, Outcome), String> {
    let entry: Entry = serde_json::from_str(line)
        .map_err(|e| format!("cannot be read ({})", without_place(&e)))?;
    if entry.check != entry_check(sweep_sha256, entry.unit, &entry.bits) {
        return Err("is damaged or of another sweep".into());
    }
    let outcome = outcome_of_bits(&entry.bits)?;
    let [level, policy, replication] = entry.unit;
    let unit = Unit {
        level,
        policy,
        replication,
    };
    Ok((unit, outcome))
}

/// An outcome as postcard writes it, in hexadecimal digits: exact, and with the NaNs that JSON lacks.
pub(super) fn bits_of(outcome: &Outcome) -> String {
    hex(&postcard::to_stdvec(outcome).expect("plain data is always encodable"))
}

/// Reads what [`bits_of`] wrote.
///
/// # Errors
/// In words that follow the number of the line: it holds what no simulation gives.
pub(super) fn outcome_of_bits(bits: &str) -> Result<Outcome, String> {
    let wrong = |what: &str| format!("field `bits`: found {what}");
    let bytes = unhex(bits).ok_or_else(|| wrong("others than hexadecimal digits"))?;
    let outcome: Outcome =
        postcard::from_bytes(&bytes).map_err(|_| wrong("what is no outcome of a replication"))?;
    let (terms, latencies) = (METRICS.len(), calls_of(METRICS).len());
    if (outcome.terms.len(), outcome.latencies.len()) != (terms, latencies) {
        return Err(wrong(&format!(
            "{} measures and {} kinds of latencies, expected {terms} and {latencies}",
            outcome.terms.len(),
            outcome.latencies.len()
        )));
    }
    if !outcome.latencies.iter().all(Bins::is_sound) {
        return Err(wrong("latencies that are no histogram"));
    }
    if MeterItem::ALL
        .iter()
        .any(|i| outcome.usage.get(*i) > MOST_USED)
    {
        return Err(wrong("a usage of more than 10^27"));
    }
    Ok(outcome)
}

/// An error without line and column, which would be those within the line.
pub(super) fn without_place(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

fn entry_check(sweep_sha256: &str, unit: [u32; 3], bits: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(sweep_sha256);
    for number in unit {
        hash.update(number.to_le_bytes());
    }
    hash.update(bits);
    hex(&hash.finalize()[..8])
}

/// The last line of a complete file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// Units in the file.
    pub units: usize,
    /// Of all bytes before this line.
    pub sha256: String,
}

impl Closing {
    /// The closing of these bytes.
    pub fn of(units: usize, bytes: &[u8]) -> Self {
        Closing {
            units,
            sha256: hex(&Sha256::digest(bytes)),
        }
    }

    /// The line, with its end.
    pub fn line(&self) -> String {
        json_line(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::embedded_names;
    use crate::study::fixtures;
    use proptest::prelude::*;

    fn default_header() -> Header {
        let scenario = Scenario::load("default", &[], None, &[]).unwrap();
        Header::new(&scenario, &[Count(10)], Part { index: 2, of: 3 })
    }

    /// Nothing of a scenario is lost on the way through a header, not the last bit of a number.
    #[test]
    fn every_scenario_reads_back_as_it_was() {
        for name in embedded_names("scenarios") {
            let scenario = Scenario::load(&name, &[], None, &[]).unwrap();
            let header = Header::new(&scenario, &scenario.sweep_per_month, Part::WHOLE);
            let read = Header::parse(header.line().trim_end()).unwrap();
            assert_eq!(read, header, "{name}");
            assert_eq!(read.line(), header.line(), "{name}");
        }
    }

    #[test]
    fn a_difference_names_the_setting() {
        let a = default_header();
        let mut scenario = a.sweep.scenario.clone();
        scenario.policies[1].batch.max_records += 1;
        let b = Header::new(&scenario, &a.sweep.levels, a.part());
        assert_eq!(a.difference(&a), None);
        assert_eq!(
            b.difference(&a).unwrap(),
            "`scenario.policies[1].batch.max_records`: found 101, expected 100"
        );
        let c = Header::new(&a.sweep.scenario, &[Count(20)], a.part());
        assert_eq!(
            c.difference(&a).unwrap(),
            "`levels[0]`: found \"20\", expected \"10\""
        );
    }

    #[test]
    fn another_version_or_a_changed_header_is_refused() {
        let line = default_header().line();
        let refused = |from: &str, to: &str| {
            assert!(line.contains(from), "{line}");
            Header::parse(line.replacen(from, to, 1).trim_end())
                .unwrap_err()
                .to_string()
        };
        let version = format!("\"kvplan\":\"{}\"", env!("CARGO_PKG_VERSION"));
        assert!(refused(&version, "\"kvplan\":\"0.0.9\"").contains("kvplan 0.0.9"));
        assert!(refused("\"kvplan_partial\":3", "\"kvplan_partial\":4").contains("format 4"));
        assert!(refused("\"seed\":2", "\"seed\":3").contains("damaged"));
        assert!(
            Header::parse("{}")
                .unwrap_err()
                .to_string()
                .contains("not a partial result")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Every bit of every value comes back, NaNs among them.
        #[test]
        fn entries_read_back_to_the_bit(
            unit in any::<[u32; 3]>(),
            bits in prop::collection::vec(any::<u64>(), METRICS.len()),
        ) {
            let [level, policy, replication] = unit;
            let unit = Unit { level, policy, replication };
            let values: Vec<f64> = bits.iter().map(|b| f64::from_bits(*b)).collect();
            let outcome = fixtures::outcome(&values);
            let line = entry_line("abc", unit, &outcome);
            prop_assert!(line.ends_with('\n'));
            let (read, again) = parse_entry("abc", line.trim_end()).unwrap();
            prop_assert_eq!(read, unit);
            prop_assert_eq!(fixtures::bits(&again), bits);
            prop_assert_eq!(&again.latencies, &outcome.latencies);
            prop_assert_eq!(&again.usage, &outcome.usage);
            prop_assert!(parse_entry("abd", line.trim_end()).is_err());
        }

        /// A line with one byte changed or with its end cut off is refused, or is worth the same.
        #[test]
        fn damaged_entries_are_refused(
            values in prop::collection::vec(any::<f64>(), METRICS.len()),
            at in any::<prop::sample::Index>(),
            byte in 0x20u8..0x7f,
        ) {
            let unit = Unit { level: 1, policy: 0, replication: 7 };
            let line = entry_line("abc", unit, &fixtures::outcome(&values));
            let line = line.trim_end();
            let at = at.index(line.len());
            prop_assert!(parse_entry("abc", &line[..at]).is_err());
            let mut damaged = line.as_bytes().to_vec();
            damaged[at] = byte;
            let damaged = String::from_utf8(damaged).unwrap();
            if damaged != line {
                prop_assert!(parse_entry("abc", &damaged).is_err(), "{}", damaged);
            }
        }
    }
}
