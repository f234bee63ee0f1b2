//! What a seed draws: everything at once, each part with a chance of its own.

use super::dice::{Dice, table, text};
use super::draft::{Draft, Setting};
use super::draw_policy::POLICY;
use super::draw_world::WORLD;
use toml::Value;

/// The case of a seed. Whatever is drawn, the loader takes it; a part that contradicts those before is left out.
pub fn draw(seed: u64) -> Draft {
    let mut dice = Dice::new(seed);
    let mut draft = Draft {
        settings: bounds(&mut dice, seed),
    };
    let mut parts: Vec<Vec<Setting>> = Vec::new();
    for part in POLICY.iter().chain(WORLD) {
        // Drawn in any case, so that one part's chance changes no other's luck.
        let settings = (part.draw)(&mut dice, &draft);
        if dice.chance(part.chance) {
            draft.settings.extend(settings.iter().cloned());
            parts.push(settings);
        }
    }
    if draft.scenario().is_ok() {
        return draft;
    }
    let mut good = Draft {
        settings: draft.settings[..BOUNDS].to_vec(),
    };
    for part in parts {
        let mut more = good.clone();
        more.settings.extend(part);
        if more.scenario().is_ok() {
            good = more;
        }
    }
    good
}

/// Settings that every case has.
const BOUNDS: usize = 4;

/// How long and how much: so little that a case takes a fraction of a second.
fn bounds(dice: &mut Dice, seed: u64) -> Vec<Setting> {
    let seconds = dice.between(20.0, 600.0).round();
    let records = dice.between(20.0, 1_200.0);
    let monthly = (records / seconds * 30.0 * 86_400.0) as i64;
    let whole_days = Value::Boolean(false);
    let none = || Value::Integer(0);
    let period = table([
        ("requests", none()),
        ("calls", none()),
        ("at_least", text(format!("{seconds} s"))),
        ("at_most", text("1 h")),
        ("history", dice.time(1_000.0, 60_000.0)),
        ("warm_up", dice.time(1_000.0, 60_000.0)),
        ("whole_days", whole_days),
    ]);
    vec![
        // The loader's numbers are signed.
        Setting::new("seed", (seed >> 1) as i64),
        Setting::new("replications", 1),
        Setting::new("traffic_per_month", monthly),
        Setting::new("period", period),
    ]
}
