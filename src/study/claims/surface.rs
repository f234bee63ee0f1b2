//! A measure over isolates and traffic, and what that says about a claim.

use super::accepts::Accepts;
use super::cells::{Axes, Cells, Place, Reading};
use super::finding::{Finding, Lens, Verdict};
use super::spec::{Claim, Measure, Simulation};
use super::tariffs::{PricedTariff, Tariffs};
use crate::models::quantity::Count;
use crate::study::stats::Estimate;
use crate::study::stats::pool::Column;

/// A check's measure at every simulated point of its grid.
#[derive(Debug, Clone)]
pub struct Surface<'a> {
    /// What is measured.
    pub check: &'a Simulation,
    /// Whose prices money is counted at, if it is money.
    pub tariff: Option<&'a PricedTariff>,
    /// The points that were simulated.
    pub axes: Axes,
    /// By isolates, then traffic.
    pub points: Vec<SurfacePoint>,
}

/// One point of a surface.
#[derive(Debug, Clone, Copy)]
pub struct SurfacePoint {
    /// Isolates in the fleet.
    pub isolates: u32,
    /// Requests a month.
    pub traffic: Count,
    /// In the claim's unit.
    pub value: Estimate,
    /// Whether the claim holds here: the mean does.
    pub holds: bool,
    /// Whether the whole interval is on the same side.
    pub sure: bool,
}

impl<'a> Surface<'a> {
    /// Reads a check's measure off the simulated points.
    pub fn read(
        tariffs: &'a Tariffs,
        claim: &Claim,
        check: &'a Simulation,
        axes: &Axes,
        cells: &Cells,
    ) -> Self {
        let tariff = check.tariff.as_ref().map(|t| tariffs.get(t));
        let accepts = claim.accepts(None);
        let points = axes.isolates.iter().flat_map(|isolates| {
            axes.traffic.iter().map(|traffic| {
                let place = Place::new(&check.grid, *isolates, *traffic);
                let value = measure(check, tariff, &place, cells);
                SurfacePoint {
                    isolates: *isolates,
                    traffic: *traffic,
                    value,
                    holds: accepts.holds(value.mean),
                    sure: accepts.is_sure(value.low(), value.high()),
                }
            })
        });
        Surface {
            check,
            tariff,
            points: points.collect(),
            axes: axes.clone(),
        }
    }

    /// Whether money is counted at the published prices.
    pub fn is_published(&self) -> bool {
        self.tariff.is_some_and(|t| t.tariff.published)
    }

    /// The points of one number of isolates, in order of traffic.
    pub fn row(&self, isolates: u32) -> Vec<&SurfacePoint> {
        let points = self.points.iter();
        points.filter(|p| p.isolates == isolates).collect()
    }

    /// The points that a claim is about, on whatever number of isolates.
    pub(super) fn claimed_anywhere(&self) -> impl Iterator<Item = &SurfacePoint> {
        let isolates = self.axes.isolates.iter();
        isolates.flat_map(|n| self.claimed(*n))
    }

    /// The points that a claim is about on one number of isolates. Points without a value (no query
    /// came, no cache) say nothing.
    fn claimed(&self, isolates: u32) -> Vec<&SurfacePoint> {
        let mut row = self.row(isolates);
        row.retain(|p| !p.value.mean.is_nan());
        if let Some(traffic) = self.check.traffic {
            row.retain(|p| p.traffic == traffic);
        }
        row
    }
}

/// The estimate over replications; those of policy and baseline with the same number met the same
/// arrivals, so they are paired.
fn measure(
    s: &Simulation,
    tariff: Option<&PricedTariff>,
    place: &Place,
    cells: &Cells,
) -> Estimate {
    let replications = cells.replications(place, s.policies());
    let column = |policy: &str| -> Option<Column> {
        let key = place.under(policy);
        let of = |reading: Reading| cells.column(&key, replications?, reading);
        let amount = match (tariff, &s.metric) {
            (Some(tariff), _) => of(Reading::Cost(tariff, &s.items))?,
            (None, Some(metric)) => of(Reading::Of(*metric.get()))?,
            (None, None) => return None,
        };
        Some(match &s.per {
            Some(per) => amount.ratio(&of(Reading::Of(*per.get()))?),
            None => amount,
        })
    };
    let both = || Some((column(&s.policy)?, column(s.baseline.as_deref()?)?));
    let column = match s.measure {
        Measure::Value => column(&s.policy),
        Measure::Saving => both().map(|(p, b)| p.ratio(&b).affine(1.0, -1.0)),
        Measure::Difference => both().map(|(p, b)| b.less(&p)),
    };
    let mut estimate =
        column.map_or_else(|| Estimate::of([]), |c| c.affine(0.0, s.scale).estimate());
    // What rounding leaves of a difference of equal bills.
    if estimate.mean.abs() < 1e-12 {
        estimate.mean = 0.0;
    }
    estimate
}

/// What a surface says through the lenses "one isolate" and "fleet".
pub fn findings(claim: &Claim, surface: &Surface, alert: bool) -> Vec<Finding> {
    let axes = &surface.axes;
    let lenses = match surface.is_published() {
        false => [(1, Lens::OneIsolate), (axes.fleet, Lens::Fleet)],
        true => [
            (1, Lens::OneIsolatePublished),
            (axes.fleet, Lens::FleetPublished),
        ],
    };
    let present = lenses
        .into_iter()
        .filter(|(n, lens)| axes.isolates.contains(n) && (*n > 1 || *lens == lenses[0].1));
    present
        .filter_map(|(isolates, lens)| finding(claim, surface, alert, isolates, lens))
        .collect()
}

fn finding(
    claim: &Claim,
    surface: &Surface,
    alert: bool,
    isolates: u32,
    lens: Lens,
) -> Option<Finding> {
    let claimed = surface.claimed(isolates);
    let at = surface.check.traffic.unwrap_or(surface.axes.reference);
    let reported = claimed
        .iter()
        .find(|p| p.traffic == at)
        .or(claimed.first())?;
    let at = reported.traffic;
    let here = claimed.iter().filter(|p| p.holds).count();
    let elsewhere = surface
        .axes
        .isolates
        .iter()
        .any(|n| surface.claimed(*n).iter().any(|p| p.holds));
    let verdict = if here == claimed.len() {
        Verdict::Confirmed
    } else if here > 0 || elsewhere {
        Verdict::HoldsOnlyIf
    } else {
        Verdict::Refuted
    };
    let mut evidence = format!(
        "{} {} on {} at {at}/month",
        describe(surface),
        estimate(reported.value, &claim.unit),
        isolate_count(isolates),
    );
    if alert && !reported.holds {
        evidence.push_str(": it would fire in ordinary operation");
    }
    if reported.value.half_width.is_nan() {
        evidence.push_str(" (no interval)");
    } else if !reported.sure {
        evidence.push_str(" (the interval reaches across what is claimed)");
    }
    Some(Finding {
        lens: Some(lens),
        verdict,
        value: Some(reported.value),
        evidence,
        conditions: (verdict == Verdict::HoldsOnlyIf)
            .then(|| conditions(&claim.accepts(None), surface)),
    })
}

/// What was measured: `saving of kv_writes_per_month, optimised-fleet against naive-fleet,`.
fn describe(surface: &Surface) -> String {
    let s = surface.check;
    let mut what = match (&s.metric, surface.tariff) {
        (_, Some(tariff)) => {
            let items: Vec<&str> = s.items.iter().map(|i| i.name()).collect();
            let what = if items.is_empty() {
                "KV".into()
            } else {
                items.join(", ")
            };
            format!("{what} cost at {}", tariff.tariff.title)
        }
        (Some(metric), None) => metric.to_string(),
        (None, None) => String::new(),
    };
    if let Some(per) = &s.per {
        what = format!("{what} / {per}");
    }
    let policies = match &s.baseline {
        Some(baseline) => format!("{} against {baseline}", s.policy),
        None => s.policy.clone(),
    };
    match s.measure {
        Measure::Value => format!("{what} of {policies}:"),
        Measure::Saving => format!("saving of {what}, {policies}:"),
        Measure::Difference => format!("{what} saved, {policies}:"),
    }
}

/// `94.5 ± 0.2 %`, to the digits that matter.
fn estimate(e: Estimate, unit: &str) -> String {
    let mean = short(e.mean);
    if e.half_width.is_nan() {
        return format!("{mean} {unit}").trim_end().to_owned();
    }
    format!("{mean} ± {} {unit}", short(e.half_width))
        .trim_end()
        .to_owned()
}

/// Four significant digits.
fn short(x: f64) -> String {
    let rounded: f64 = format!("{x:.3e}").parse().unwrap_or(x);
    rounded.to_string()
}

fn isolate_count(n: u32) -> String {
    match n {
        1 => "1 isolate".into(),
        n => format!("{n} isolates"),
    }
}

/// Where a claim holds, for each number of isolates; bounds between simulated levels by interpolation.
fn conditions(accepts: &Accepts, surface: &Surface) -> String {
    let axes = &surface.axes;
    let list = |holds: bool| {
        let with = axes
            .isolates
            .iter()
            .filter(|n| surface.claimed(**n).iter().any(|p| p.holds) == holds);
        with.map(u32::to_string).collect::<Vec<_>>()
    };
    if let Some(traffic) = surface.check.traffic {
        let (yes, no) = (list(true), list(false));
        let mut text = format!("at {traffic}/month on {} isolate(s)", yes.join(", "));
        if !no.is_empty() {
            text.push_str(&format!(", not on {}", no.join(", ")));
        }
        return text;
    }
    let rows = axes.isolates.iter();
    let text = rows.map(|n| {
        format!(
            "{}: {}",
            isolate_count(*n),
            traffic_range(accepts, surface.check.scale, &surface.claimed(*n))
        )
    });
    text.collect::<Vec<_>>().join("; ")
}

/// For which traffic a row holds.
fn traffic_range(accepts: &Accepts, whole: f64, row: &[&SurfacePoint]) -> String {
    let (Some(first), Some(last)) = (row.first(), row.last()) else {
        return "no value, or too few calls for one".into();
    };
    let tested = if first.traffic == last.traffic {
        format!("{}/month", first.traffic)
    } else {
        format!("{} to {}/month", first.traffic, last.traffic)
    };
    if row.iter().all(|p| p.holds) {
        return format!("all of {tested}");
    }
    if row.iter().all(|p| !p.holds) {
        return format!("nowhere in {tested}");
    }
    let mut ranges = Vec::new();
    let mut i = 0;
    while i < row.len() {
        if !row[i].holds {
            i += 1;
            continue;
        }
        let start = i;
        while i + 1 < row.len() && row[i + 1].holds {
            i += 1;
        }
        let edge = |a: usize, b: usize| short_count(crossing(accepts, whole, row[a], row[b]));
        let from = (start > 0).then(|| edge(start - 1, start));
        let to = (i + 1 < row.len()).then(|| edge(i, i + 1));
        ranges.push(match (from, to) {
            (Some(from), Some(to)) => format!("from about {from} to about {to}/month"),
            (Some(from), None) => format!("from about {from}/month"),
            (None, Some(to)) => format!("up to about {to}/month"),
            (None, None) => tested.clone(),
        });
        i += 1;
    }
    ranges.join(" and ")
}

/// Traffic at which the measure crosses the boundary of what is accepted, between two levels.
///
/// Shares are interpolated by their odds: the odds of a hit under Poisson lookups, λT, are
/// proportional to traffic, so that the result is exact there as far as reads take no time. Other measures above 0 are taken as
/// powers of traffic, the rest as linear in its logarithm.
///
/// `whole` is 1 in the measure's unit.
fn crossing(accepts: &Accepts, whole: f64, a: &SurfacePoint, b: &SurfacePoint) -> f64 {
    let (x0, x1) = (a.traffic.0 as f64, b.traffic.0 as f64);
    let (y0, y1) = (a.value.mean, b.value.mean);
    let Some(y) = accepts.boundary(y0, y1) else {
        return (x0 * x1).sqrt();
    };
    let inside = |top: f64| [y0, y1, y].iter().all(|v| *v > 0.0 && *v < top);
    let transform = |v: f64| {
        if inside(whole) {
            (v / (whole - v)).ln()
        } else if inside(f64::INFINITY) {
            v.ln()
        } else {
            v
        }
    };
    let f = (transform(y) - transform(y0)) / (transform(y1) - transform(y0));
    x0 * (x1 / x0).powf(f.clamp(0.0, 1.0))
}

/// Two significant digits: `4.7M`.
fn short_count(x: f64) -> String {
    let rounded: f64 = format!("{x:.1e}").parse().unwrap_or(x);
    Count(rounded.round() as u64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::claims::finding::exact;

    fn point(traffic: u64, mean: f64, accepts: &Accepts) -> SurfacePoint {
        SurfacePoint {
            isolates: 1,
            traffic: Count(traffic),
            value: exact(mean),
            holds: accepts.holds(mean),
            sure: true,
        }
    }

    fn claim(text: &str) -> Claim {
        toml::from_str(&format!(
            "id = \"x\"\nsection = \"s\"\nquote = \"q\"\ncheck = []\n{text}"
        ))
        .unwrap()
    }

    /// λT/(1+λT) = 90% at λT = 9: with T = 5 s, 1.8 lookups a second, 4.67M a month.
    #[test]
    fn the_crossing_of_a_hit_ratio_is_where_the_closed_form_has_it() {
        let accepts = claim("stated = 90\ncomparator = \">=\"").accepts(None);
        let hit = |n: u64| {
            let lt = n as f64 / 2_592_000.0 * 5.0;
            point(n, 100.0 * lt / (1.0 + lt), &accepts)
        };
        let row = [
            hit(100_000),
            hit(1_000_000),
            hit(10_000_000),
            hit(100_000_000),
        ];
        let row: Vec<&SurfacePoint> = row.iter().collect();
        let x = crossing(&accepts, 100.0, row[1], row[2]);
        assert!((x - 1.8 * 2_592_000.0).abs() < 1.0, "{x}");
        assert_eq!(
            traffic_range(&accepts, 100.0, &row),
            "from about 4.7M/month"
        );
    }

    #[test]
    fn ranges_are_told_with_both_ends() {
        let accepts = claim("stated = 10\nto = 20").accepts(None);
        let row = [1.0, 15.0, 40.0, 12.0].map(|y| point(1, y, &accepts));
        let row: Vec<SurfacePoint> = row
            .iter()
            .enumerate()
            .map(|(i, p)| SurfacePoint {
                traffic: Count(10_u64.pow(i as u32 + 3)),
                ..*p
            })
            .collect();
        let refs: Vec<&SurfacePoint> = row.iter().collect();
        let text = traffic_range(&accepts, 100.0, &refs);
        assert!(
            text.starts_with("from about ") && text.contains(" and from about "),
            "{text}"
        );
        assert_eq!(
            traffic_range(&accepts, 100.0, &refs[..1]),
            "nowhere in 1k/month"
        );
        assert_eq!(
            traffic_range(&accepts, 100.0, &refs[1..2]),
            "all of 10k/month"
        );
    }
}
