//! Both sides under the same random numbers.

use crate::models::quantity::Count;
use crate::run::scenario::Scenario;
use crate::study::error::StudyError;
use crate::study::grid::{Grid, Measured, Part};
use crate::study::sweep::{Cell, Watch, cells, measure};

/// Makes the new scenario meet what the old one does: its seed, as many replications, as precise.
pub fn meet(old: &Scenario, new: &mut Scenario) {
    new.seed = old.seed;
    new.replications = old.replications;
    new.precision.clone_from(&old.precision);
}

/// Simulates both scenarios, each at its level, with as many replications of one as of the other.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn simulate(
    scenarios: [&Scenario; 2],
    levels: [Count; 2],
    watch: &Watch,
) -> Result<[Vec<Cell>; 2], StudyError> {
    let levels = levels.map(|l| [l]);
    let of = |side: usize, scenario: &Scenario, known: Measured| {
        let grid = Grid {
            scenario,
            levels: &levels[side],
        };
        measure(&grid, Part::WHOLE, known, watch)
    };
    let mut old = of(0, scenarios[0], Measured::new())?;
    let mut new = of(1, scenarios[1], Measured::new())?;
    // Where a precision decides, one may have taken more.
    let most = [&old, &new].map(most_replications);
    if most[0] != most[1] {
        let n = most[0].max(most[1]);
        let [same_old, same_new] = scenarios.map(|s| Scenario {
            replications: n,
            precision: None,
            ..s.clone()
        });
        old = of(0, &same_old, old)?;
        new = of(1, &same_new, new)?;
    }
    let cells = |side: usize, measured: &Measured| {
        let grid = Grid {
            scenario: scenarios[side],
            levels: &levels[side],
        };
        cells(&grid, measured)
    };
    Ok([cells(0, &old), cells(1, &new)])
}

fn most_replications(measured: &Measured) -> u32 {
    measured
        .keys()
        .map(|unit| unit.replication + 1)
        .max()
        .unwrap_or(0)
}
