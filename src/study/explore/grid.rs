//! Every combination of the values of a few settings, each with the scenario that it makes.

use super::setting::{Choice, MOST_SETTINGS, Setting};
use crate::models::quantity::Count;
use crate::models::{ConfigError, Override};
use crate::run::effort::Effort;
use crate::run::scenario::Scenario;

/// Most points of a grid: with more, the page would be too large to be mailed.
pub const MOST_POINTS: usize = 2_000;

/// A point that can be.
#[derive(Debug, Clone)]
pub struct Point {
    /// With the point's settings, and its one policy.
    pub scenario: Scenario,
    /// Recorded requests in a month of 30 days.
    pub traffic: Count,
}

/// The points of a grid.
#[derive(Debug, Clone)]
pub struct Grid {
    /// What is varied.
    pub settings: Vec<Setting>,
    /// All combinations of their values, those of the last setting next to each other; what cannot be, with the reason.
    pub points: Vec<Result<Point, String>>,
}

/// Makes the scenario of a policy and a plan, if they are given, with some fields set.
pub type Load<'a> =
    dyn Fn(Option<&str>, Option<&str>, &[Override]) -> Result<Scenario, ConfigError> + 'a;

impl Grid {
    /// All points; where no setting is the traffic, at `traffic`, or at the scenario's own.
    ///
    /// # Errors
    /// If there are too many settings or points, a setting is there twice or has one value only, or a value can be
    /// in no point at all: that is a mistake, and its reason is told.
    pub fn new(
        settings: Vec<Setting>,
        traffic: Option<Count>,
        load: &Load,
    ) -> Result<Self, ConfigError> {
        check(&settings)?;
        let size = settings.iter().map(|s| s.values.len()).product();
        let is_traffic = |s: &Setting| matches!(s.values[0].choice, Choice::Traffic(_));
        // What differs in traffic alone is loaded once.
        let by_traffic = settings.iter().position(is_traffic);
        let mut loaded: Vec<Option<Result<Scenario, ConfigError>>> = vec![None; size];
        let mut points = Vec::with_capacity(size);
        let mut errors = Vec::with_capacity(size);
        for number in 0..size {
            let at = places(&settings, number);
            let level = by_traffic.map(|i| &settings[i].values[at[i]].choice);
            let mut base = at.clone();
            if let Some(i) = by_traffic {
                base[i] = 0;
            }
            let base = number_of(&settings, &base);
            let scenario = loaded[base].get_or_insert_with(|| scenario(&settings, &at, load));
            points.push(match scenario {
                Ok(scenario) => Ok(Point {
                    traffic: match level {
                        Some(Choice::Traffic(level)) => *level,
                        _ => traffic.unwrap_or(scenario.traffic_per_month),
                    },
                    scenario: scenario.clone(),
                }),
                Err(e) => Err(e.to_string()),
            });
            errors.push(scenario.as_ref().err().cloned());
        }
        let grid = Grid { settings, points };
        match grid.mistake(&errors) {
            Some(mistake) => Err(mistake),
            None => Ok(grid),
        }
    }

    /// The place of a point among the values of each setting.
    pub fn places(&self, number: usize) -> Vec<usize> {
        places(&self.settings, number)
    }

    /// The points that can be, with their numbers.
    pub fn able(&self) -> impl Iterator<Item = (usize, &Point)> {
        let all = self.points.iter().enumerate();
        all.filter_map(|(i, point)| Some((i, point.as_ref().ok()?)))
    }

    /// What so many replications of every point take.
    pub fn effort(&self, replications: u32, threads: usize) -> Effort {
        let points = self
            .able()
            .map(|(_, p)| (&p.scenario, &p.scenario.policies[0], p.traffic));
        Effort::of_points(points, u64::from(replications), threads)
    }

    /// The first value that can be in no point at all.
    fn mistake(&self, errors: &[Option<ConfigError>]) -> Option<ConfigError> {
        for (i, setting) in self.settings.iter().enumerate() {
            // Any traffic can be.
            if matches!(setting.values[0].choice, Choice::Traffic(_)) {
                continue;
            }
            for (place, value) in setting.values.iter().enumerate() {
                let mut with = (0..errors.len()).filter(|number| self.places(*number)[i] == place);
                let first = errors[with.next()?].as_ref();
                let Some(error) = first.filter(|_| with.all(|n| errors[n].is_some())) else {
                    continue;
                };
                let own = format!("--vary {}=", setting.name);
                return Some(match error.source.starts_with("--vary ") {
                    true => error.clone(),
                    false => ConfigError::new(format!("{own}{}", value.text), error.to_string()),
                });
            }
        }
        None
    }
}

/// What can be told before anything is loaded.
fn check(settings: &[Setting]) -> Result<(), ConfigError> {
    let wrong = |message: String| Err(ConfigError::new("--vary", message));
    let names: Vec<&str> = settings.iter().map(|s| s.name.as_str()).collect();
    if !(1..=MOST_SETTINGS).contains(&settings.len()) {
        return wrong(format!(
            "found {} settings ({}), expected one to {MOST_SETTINGS}; a scenario's policies are one, unless --policy chooses",
            settings.len(),
            names.join(", ")
        ));
    }
    for (i, setting) in settings.iter().enumerate() {
        let same = |s: &&Setting| s.column == setting.column;
        if settings[..i].iter().any(|s| same(&s)) {
            return wrong(format!("found {} twice, expected it once", setting.name));
        }
        if setting.values.len() < 2 {
            return wrong(format!(
                "found one value of {}, expected at least two; one alone is given by {}",
                setting.name,
                setting
                    .values
                    .first()
                    .map_or_else(|| "--set".into(), |v| v.option.join(" "))
            ));
        }
        for (j, value) in setting.values.iter().enumerate() {
            if setting.values[..j].iter().any(|v| v.text == value.text) {
                return wrong(format!(
                    "found {}={} twice, expected different values",
                    setting.name, value.text
                ));
            }
        }
    }
    let factors = settings.iter().map(|s| s.values.len());
    let size = factors.fold(1_usize, usize::saturating_mul);
    if size > MOST_POINTS {
        return wrong(format!(
            "found {size} points, expected no more than {MOST_POINTS}, so that the page can be mailed: fewer values, or fewer settings"
        ));
    }
    Ok(())
}

fn places(settings: &[Setting], mut number: usize) -> Vec<usize> {
    let mut at = vec![0; settings.len()];
    for (place, setting) in at.iter_mut().zip(settings).rev() {
        *place = number % setting.values.len();
        number /= setting.values.len();
    }
    at
}

fn number_of(settings: &[Setting], at: &[usize]) -> usize {
    let both = settings.iter().zip(at);
    both.fold(0, |number, (s, place)| number * s.values.len() + place)
}

fn scenario(settings: &[Setting], at: &[usize], load: &Load) -> Result<Scenario, ConfigError> {
    let (mut policy, mut plan, mut fields) = (None, None, Vec::new());
    for (setting, place) in settings.iter().zip(at) {
        match &setting.values[*place].choice {
            Choice::Traffic(_) => {}
            Choice::Policy(name) => policy = Some(name.as_str()),
            Choice::Plan(name) => plan = Some(name.as_str()),
            Choice::Field(field) => fields.push(field.clone()),
        }
    }
    load(policy, plan, &fields)
}

#[cfg(test)]
mod tests {
    use super::super::setting::Value;
    use super::*;
    use crate::models::parse_overrides;

    fn field(path: &str, values: &[&str]) -> Setting {
        let value = |v: &&str| {
            let written = format!("{path}={v}");
            let field = parse_overrides(std::slice::from_ref(&written)).unwrap();
            Value::field(written, field.into_iter().next().unwrap())
        };
        Setting {
            name: path.into(),
            column: path.into(),
            values: values.iter().map(value).collect(),
        }
    }

    fn load(
        policy: Option<&str>,
        plan: Option<&str>,
        fields: &[Override],
    ) -> Result<Scenario, ConfigError> {
        let policy = policy.unwrap_or("optimised").to_owned();
        Scenario::load("default", &[policy], plan, fields)
    }

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn points_are_all_combinations_and_the_last_setting_is_the_fastest() {
        let settings = vec![
            Setting::traffic(&[Count(1_000), Count(3_000)]),
            field("policy.cache.ttl", &["\"5 s\"", "\"60 s\"", "\"9 s\""]),
        ];
        let grid = Grid::new(settings, None, &load).unwrap();
        assert_eq!(grid.places(4), [1, 1]);
        let told: Vec<(u64, u64)> = grid
            .able()
            .map(|(_, p)| (p.traffic.0, p.scenario.policies[0].cache.ttl.as_secs()))
            .collect();
        let expected = [
            (1_000, 5),
            (1_000, 60),
            (1_000, 9),
            (3_000, 5),
            (3_000, 60),
            (3_000, 9),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_cannot_be_in_one_combination_stays_with_its_reason() {
        let settings = vec![
            field("fleet.isolates", &["1", "4"]),
            Setting::policies(&names(&["optimised", "optimised-fleet"])),
        ];
        let grid = Grid::new(settings, Some(Count(5)), &load).unwrap();
        let able: Vec<usize> = grid.able().map(|(i, _)| i).collect();
        assert_eq!(able, [0, 1, 3]);
        let why = grid.points[2].as_ref().unwrap_err();
        assert!(
            why.contains("whose queries see their own isolate's keys only"),
            "{why}"
        );
    }

    #[test]
    fn what_can_be_nowhere_is_a_mistake() {
        let mistake = |setting: Setting| {
            let other = Setting::traffic(&[Count(1), Count(2)]);
            Grid::new(vec![other, setting], None, &load)
                .unwrap_err()
                .to_string()
        };
        let policy = mistake(Setting::policies(&names(&["naive", "optimized"])));
        assert!(
            policy.starts_with("--vary policy=optimized: optimized: cannot be read")
                && policy.contains("did you mean \"optimised\"?"),
            "{policy}"
        );
        let ttl = mistake(field("policy.cache.ttl", &["\"5 s\"", "\"x\""]));
        assert!(ttl.starts_with("--vary policy.cache.ttl=x: "), "{ttl}");
    }

    #[test]
    fn settings_and_points_are_bounded() {
        let refused = |settings: Vec<Setting>| {
            let never: &Load = &|_, _, _| unreachable!("nothing is loaded");
            Grid::new(settings, None, never).unwrap_err().to_string()
        };
        let level = |n: u64| Setting::traffic(&(1..=n).map(Count).collect::<Vec<_>>());
        assert!(refused(Vec::new()).contains("found 0 settings"));
        assert!(refused(vec![level(2), level(2)]).contains("found traffic twice"));
        assert!(
            refused(vec![level(1)])
                .contains("expected at least two; one alone is given by --traffic 1")
        );
        let many = field("cpu.request_us", &["1"; 2]);
        assert!(refused(vec![many]).contains("expected different values"));
        assert!(
            refused(vec![level(2_001)]).contains("found 2001 points, expected no more than 2000")
        );
    }
}
