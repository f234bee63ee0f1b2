//! A fleet as its file has it.

use crate::config::quantity::{self, Bytes, Probability};
use crate::config::{FieldError, Model};
use crate::sim::dist::Dist;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where requests are served, and by how many isolates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetSpec {
    pub title: String,
    /// Machines among which requests are spread evenly at random within their place. Without
    /// [`FleetSpec::life`] each has one isolate for ever; with it, one or more while needed.
    pub isolates: u32,
    /// The points of presence, listed; none is a single place.
    #[serde(default, rename = "place", skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
    /// Points of presence by Zipf's law, instead of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zipf: Option<Zipf>,
    /// How isolates start and end; none lets them live for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<Life>,
    #[serde(default)]
    pub memory: Memory,
}

/// A point of presence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub name: String,
    /// Share of the requests; the shares of all places add up to 1.
    pub share: Probability,
    /// Local time minus the time zone of the workload's shape, in hours: a daily shape peaks
    /// that much earlier here.
    #[serde(default)]
    pub time_zone_h: i32,
}

/// Shares proportional to `1 / rank^exponent`, in the workload's own time zone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Zipf {
    pub places: u32,
    pub exponent: f64,
}

/// How isolates start and end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Life {
    /// Time from a request that finds no isolate until one can serve it.
    pub cold_start: Dist,
    /// An isolate ends after so long without a request.
    #[serde(with = "quantity::duration")]
    pub idle: Duration,
    /// Mean life of an isolate that the platform ends at random (exponential); none is never.
    #[serde(
        default,
        with = "quantity::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_life: Option<Duration>,
    /// Time between deployments, each of which ends all isolates; none is never.
    #[serde(
        default,
        with = "quantity::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub deploy_every: Option<Duration>,
    /// How long work under way goes on once an isolate's end is decided, except at memory pressure.
    #[serde(with = "quantity::duration")]
    pub grace: Duration,
    /// How long `waitUntil` carries work on after the response.
    #[serde(with = "quantity::duration")]
    pub wait_until: Duration,
    /// Requests that an isolate serves at once; one more starts another isolate.
    pub max_concurrency: u32,
}

/// How the memory of an isolate is estimated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// More than this ends an isolate (where they end at all). Published: 128 MB.
    pub limit: Bytes,
    /// An isolate that holds nothing (assumed).
    pub base: Bytes,
    /// A request under way (assumed).
    pub per_request: Bytes,
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            limit: Bytes(128_000_000),
            base: Bytes(10_000_000),
            per_request: Bytes(100_000),
        }
    }
}

impl Model for FleetSpec {
    const FOLDER: &'static str = "fleets";

    fn validate(&self) -> Result<(), FieldError> {
        let n = self.place_count();
        if self.zipf.is_some() && !self.places.is_empty() {
            return Err(FieldError::new(
                "zipf",
                "found beside a list of places, expected one of the two",
            ));
        }
        if let Some(z) = &self.zipf
            && (z.places == 0 || !(0.0..=10.0).contains(&z.exponent))
        {
            return Err(FieldError::new(
                "zipf",
                format!(
                    "found {} places with exponent {}, expected 1 or more with an exponent from 0 to 10",
                    z.places, z.exponent
                ),
            ));
        }
        if !(n as u32..=100_000).contains(&self.isolates) {
            return Err(FieldError::new(
                "isolates",
                format!(
                    "found {}, expected {n} to 100000 (one for each place at least)",
                    self.isolates
                ),
            ));
        }
        let sum: f64 = self.places.iter().map(|p| p.share.get()).sum();
        if !self.places.is_empty() && (sum - 1.0).abs() > 1e-9 {
            return Err(FieldError::new(
                "place",
                format!("found shares that add up to {sum}, expected 1"),
            ));
        }
        if self.memory.limit.0 <= self.memory.base.0 {
            return Err(FieldError::new(
                "memory.limit",
                "found no more than memory.base, expected more",
            ));
        }
        if let Some(life) = &self.life {
            life.validate().map_err(|e| e.within("life"))?;
        }
        Ok(())
    }

    fn distributions(&mut self) -> Vec<&mut Dist> {
        self.life.iter_mut().map(|l| &mut l.cold_start).collect()
    }
}

impl Life {
    fn validate(&self) -> Result<(), FieldError> {
        self.cold_start
            .validate()
            .map_err(|e| e.within("cold_start"))?;
        let zero = |d: Option<Duration>| d.is_some_and(|d| d.is_zero());
        for (field, bad) in [
            ("idle", self.idle.is_zero()),
            ("mean_life", zero(self.mean_life)),
            ("deploy_every", zero(self.deploy_every)),
            ("max_concurrency", self.max_concurrency == 0),
        ] {
            if bad {
                return Err(FieldError::new(field, "found 0, expected a value above 0"));
            }
        }
        if self.idle < self.wait_until {
            return Err(FieldError::new(
                "idle",
                "found less than wait_until, expected at least as much: work under way keeps an isolate alive",
            ));
        }
        Ok(())
    }
}

impl FleetSpec {
    /// Isolates in one place that live for ever.
    pub fn fixed(isolates: u32) -> Self {
        FleetSpec {
            title: format!("{isolates} isolates"),
            isolates,
            places: Vec::new(),
            zipf: None,
            life: None,
            memory: Memory::default(),
        }
    }

    /// Number of places.
    pub fn place_count(&self) -> usize {
        match &self.zipf {
            Some(z) => z.places as usize,
            None => self.places.len().max(1),
        }
    }

    /// Whether more than one writer may exist over time.
    pub fn has_many_writers(&self) -> bool {
        self.isolates > 1 || self.life.is_some()
    }

    /// Share and time zone of each place.
    pub fn shares(&self) -> Vec<(f64, i32)> {
        match &self.zipf {
            Some(z) => {
                let weight = |rank: u32| f64::from(rank).powf(-z.exponent);
                let sum: f64 = (1..=z.places).map(weight).sum();
                (1..=z.places).map(|r| (weight(r) / sum, 0)).collect()
            }
            None if self.places.is_empty() => vec![(1.0, 0)],
            None => {
                let places = self.places.iter();
                places.map(|p| (p.share.get(), p.time_zone_h)).collect()
            }
        }
    }

    /// Machines of each place: one each, the others in proportion to the shares (largest
    /// remainders first).
    pub fn machines(&self) -> Vec<u32> {
        let shares = self.shares();
        let spare = self.isolates - shares.len() as u32;
        let exact: Vec<f64> = shares.iter().map(|s| s.0 * f64::from(spare)).collect();
        let mut machines: Vec<u32> = exact.iter().map(|x| 1 + x.floor() as u32).collect();
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
        let left = self.isolates - machines.iter().sum::<u32>();
        for i in order.into_iter().take(left as usize) {
            machines[i] += 1;
        }
        machines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_follow_the_shares_and_none_is_left_over() {
        let mut fleet = FleetSpec::fixed(100);
        fleet.zipf = Some(Zipf {
            places: 10,
            exponent: 1.0,
        });
        fleet.validate().unwrap();
        let machines = fleet.machines();
        assert_eq!(machines.iter().sum::<u32>(), 100);
        assert!(machines.iter().all(|m| *m >= 1));
        assert!(machines.is_sorted_by(|a, b| a >= b), "{machines:?}");
        // 90 spare machines, a share of 1 / H(10) = 0.341 for the first place.
        assert_eq!(machines[0], 1 + 31);
    }

    #[test]
    fn impossible_fleets_are_refused() {
        let mut fleet = FleetSpec::fixed(5);
        fleet.zipf = Some(Zipf {
            places: 6,
            exponent: 1.0,
        });
        assert!(
            fleet
                .validate()
                .unwrap_err()
                .message
                .contains("6 to 100000")
        );
        fleet.isolates = 6;
        fleet.validate().unwrap();
        fleet.places.push(Place {
            name: "x".into(),
            share: Probability::new(0.5).unwrap(),
            time_zone_h: 0,
        });
        assert_eq!(fleet.validate().unwrap_err().field, "zipf");
        fleet.zipf = None;
        assert_eq!(fleet.validate().unwrap_err().field, "place");
    }
}
