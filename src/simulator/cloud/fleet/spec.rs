//! A fleet as its file has it.

use crate::models::dist::Dist;
use crate::models::quantity::{self, Bytes, Probability};
use crate::models::{FieldError, Model};
use crate::telemetry::field::{check_name, within};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where requests are served, and by how many isolates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetSpec {
    /// What it is, in one line.
    pub title: String,
    /// Machines, shared out among the places by their shares. Without [`FleetSpec::life`] each has
    /// one isolate for ever; with it, none, one or more, as requests come.
    pub isolates: u32,
    /// Which machine of its place serves a request. Not given, it is `shard` with a life, and
    /// `independent` without: isolates that never end are independent by definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// The points of presence, listed; none is a single place.
    #[serde(default, rename = "place", skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
    /// Points of presence by Zipf's law, instead of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zipf: Option<Zipf>,
    /// How isolates start and end; none lets them live for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<Life>,
    /// Memory of an isolate, and what takes it.
    #[serde(default)]
    pub memory: MemoryLimits,
    /// Whether timers and operations belong to the invocation that started them, as in the Workers
    /// runtime: what is woken by another invocation goes on in that one's context, and ends with it.
    /// Without, everything runs on: to show what the rule changes.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub request_contexts: bool,
}

fn yes() -> bool {
    true
}

fn is_true(on: &bool) -> bool {
    *on
}

/// Which machine of its place serves a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// All requests of a place go to one machine, its shard server, and spill over to the others,
    /// one after the other, while it is overloaded (see [`Life::spill_at`]): how Cloudflare has
    /// done it since September 2025,
    /// <https://blog.cloudflare.com/eliminating-cold-starts-2-shard-and-conquer/>. Assumed: the
    /// fixed order in which they spill over, which keeps isolates as few as they can be.
    Shard,
    /// Each request goes to a machine of its place at random, whatever runs there: about one
    /// isolate per machine, the most there can be.
    Independent,
}

/// A point of presence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its name in reports.
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
    /// How many places there are.
    pub places: u32,
    /// How steeply shares fall with the rank; 0 for equal shares.
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
    /// Requests that an isolate serves at once; one more starts another isolate on its machine.
    pub max_concurrency: u32,
    /// With `routing = "shard"`: a machine with so many requests under way is overloaded, and the
    /// next request spills over to the next machine of the place; if all are, it is served by the
    /// shard server. Not given, it is `max_concurrency`. Assumed: no figure is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spill_at: Option<u32>,
}

/// How the memory of an isolate is estimated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryLimits {
    /// More than this ends an isolate (where they end at all). Published: 128 MB.
    pub limit: Bytes,
    /// An isolate that holds nothing (assumed).
    pub base: Bytes,
    /// A request under way (assumed).
    pub per_request: Bytes,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        MemoryLimits {
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
        for (i, place) in self.places.iter().enumerate() {
            let at = format!("place[{i}]");
            check_name("name", &place.name).map_err(|e| e.within(&at))?;
            let offset = place.time_zone_h;
            let reason = "hours between two time zones";
            within("time_zone_h", offset, -26, 26, reason).map_err(|e| e.within(&at))?;
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
        if self.life.is_none() && self.routing == Some(Routing::Shard) {
            return Err(FieldError::new(
                "routing",
                "found \"shard\" without [life], expected \"independent\" or none: isolates that never end are independent",
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
        for (field, bad) in [
            ("idle", self.idle.is_zero()),
            ("max_concurrency", self.max_concurrency == 0),
            ("spill_at", self.spill_at == Some(0)),
        ] {
            if bad {
                return Err(FieldError::new(field, "found 0, expected a value above 0"));
            }
        }
        for (field, time) in [
            ("mean_life", self.mean_life),
            ("deploy_every", self.deploy_every),
        ] {
            let seconds = time.map_or(1.0, |t| t.as_secs_f64());
            within(field, seconds, 1.0, 4e9, "seconds; each end is an event")?;
        }
        if self.idle < self.wait_until {
            return Err(FieldError::new(
                "idle",
                "found less than wait_until, expected at least as much: work under way keeps an isolate alive",
            ));
        }
        Ok(())
    }

    /// Requests under way at which a machine is overloaded.
    pub fn spill_at(&self) -> u32 {
        self.spill_at.unwrap_or(self.max_concurrency)
    }
}

impl FleetSpec {
    /// Isolates in one place that live for ever.
    pub fn fixed(isolates: u32) -> Self {
        FleetSpec {
            title: format!("{isolates} isolates"),
            isolates,
            routing: None,
            places: Vec::new(),
            zipf: None,
            life: None,
            memory: MemoryLimits::default(),
            request_contexts: true,
        }
    }

    /// Which machine of its place serves a request.
    pub fn routing(&self) -> Routing {
        match &self.life {
            None => Routing::Independent,
            Some(_) => self.routing.unwrap_or(Routing::Shard),
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

    #[test]
    fn isolates_that_come_and_go_are_sharded_and_those_that_never_end_are_independent() {
        let mut fleet = FleetSpec::fixed(5);
        assert_eq!(fleet.routing(), Routing::Independent);
        fleet.routing = Some(Routing::Shard);
        let refused = fleet.validate().unwrap_err();
        assert_eq!(refused.field, "routing");
        assert!(refused.message.contains("without [life]"), "{refused:?}");
        fleet.routing = Some(Routing::Independent);
        fleet.validate().unwrap();
        let with_life = |routing: &str, spill_at: &str| -> FleetSpec {
            toml::from_str(&format!(
                "title = \"t\"\nisolates = 5\n{routing}\n[life]\ncold_start = {{ kind = \"constant\", value = \"5 ms\" }}\nidle = \"5 min\"\ngrace = \"30 s\"\nwait_until = \"30 s\"\nmax_concurrency = 20\n{spill_at}"
            ))
            .unwrap()
        };
        let fleet = with_life("", "");
        fleet.validate().unwrap();
        assert_eq!(fleet.routing(), Routing::Shard);
        assert_eq!(fleet.life.unwrap().spill_at(), 20);
        let fleet = with_life("routing = \"independent\"", "");
        assert_eq!(fleet.routing(), Routing::Independent);
        let refused = with_life("", "spill_at = 0").validate().unwrap_err();
        assert_eq!(refused.field, "life.spill_at");
    }
}
