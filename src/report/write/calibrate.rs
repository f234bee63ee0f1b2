//! A calibrated latency profile: the file, calibrate.csv, a chart for each kind and a table.

use super::fit::{inline, latency, self_contained};
use crate::cloud::latency::LatencyProfile;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::chart::{Axis, Chart, Datum, Scale, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::table::{Answer, Entry, table};
use crate::study::calibrate::{Calibrated, Finding, LEVELS, QuantileFit, Quantiles, WORST_MISS};
use crate::study::fit::latency::Operation;

/// What was calibrated, with what is made of it.
pub struct Report<'a> {
    /// What was found, by kind of operation.
    pub found: &'a [Calibrated],
    /// What messages and comments call the measurements.
    pub label: &'a str,
    /// Name of the model file, without extension.
    pub name: &'a str,
    /// The profile that kinds without data come from.
    pub base: &'a LatencyProfile,
    /// The profile that kinds without measurements are taken from.
    pub base_name: &'a str,
}

const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

impl Report<'_> {
    /// Writes the profile, observed values that it names, calibrate.csv and the charts.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(&format!("{}.toml", self.name), self.profile()?.as_bytes())?;
        out.write(artefacts::CALIBRATE_CSV, &self.csv())?;
        for c in self.found {
            if let Finding::Empirical { fit } = &c.finding {
                let values = fit.values_ms.iter().map(|v| vec![v.to_string()]);
                out.write(
                    &self.values_csv(c.operation),
                    &csv_bytes(vec!["latency_ms".into()], values),
                )?;
            }
            if let Some(chart) = self.chart(c) {
                out.draw(&format!("calibrate_{}", c.operation.name()), &chart)?;
            }
        }
        Ok(())
    }

    fn values_csv(&self, operation: Operation) -> String {
        format!("{}_{}.csv", self.name, operation.name())
    }

    fn of(&self, operation: Operation) -> Option<&Calibrated> {
        self.found.iter().find(|c| c.operation == operation)
    }

    /// The profile as a model file.
    fn profile(&self) -> Result<String, WriteError> {
        let title = inline(&format!("calibrated from {}", self.label))?;
        let mut text = format!(
            "# Calibrated from {}; what was not measured as in {}.\ntitle = {title}\n",
            self.label, self.base_name
        );
        let mut base = self.base.clone();
        for (operation, name) in Operation::ALL {
            let found = self.of(operation);
            let (comment, dist) = match found.and_then(|c| c.dist(&self.values_csv(operation))) {
                Some(dist) => (found.map_or(String::new(), provenance), dist),
                None => (
                    format!("As in {}.", self.base_name),
                    self_contained(operation.of(&mut base)),
                ),
            };
            text.push_str(&format!("# {comment}\n{name} = {}\n", inline(&dist)?));
        }
        Ok(text)
    }

    /// A row for each kind.
    fn csv(&self) -> Vec<u8> {
        let header = [
            "kind",
            "n",
            "family",
            "p50_ms",
            "p50_fitted_ms",
            "p95_ms",
            "p95_fitted_ms",
            "p99_ms",
            "p99_fitted_ms",
            "ks_distance",
            "ks_p",
            "worst_miss",
            "verdict",
        ];
        let number = |x: Option<f64>| x.map_or(String::new(), format::csv_number);
        let rows = Operation::ALL.iter().map(|(operation, name)| {
            let Some(c) = self.of(*operation) else {
                let mut row = vec![(*name).to_owned(), "0".into()];
                row.extend(vec![String::new(); 10]);
                row.push(format!("not measured: as in {}", self.base_name));
                return row;
            };
            let mut row = vec![
                (*name).to_owned(),
                c.n.map_or(String::new(), |n| n.round().to_string()),
                family(c).to_owned(),
            ];
            for q in QUANTILES {
                row.extend([number(c.measured_ms(q)), number(c.fitted_ms(q))]);
            }
            let (distance, p) = ks(c);
            row.extend([
                number(distance),
                number(p),
                number(worst(c).map(|w| w.worst_miss)),
            ]);
            row.push(self.verdict(c));
            row
        });
        csv_bytes(header.map(str::to_owned).to_vec(), rows)
    }

    /// The table for the terminal.
    pub fn table(&self) -> Answer {
        let header = [
            "kind", "family", "verdict", "n", "p50", "fitted", "p95", "fitted", "p99", "fitted",
            "KS p",
        ];
        let ms = |x: Option<f64>| x.map_or("-".into(), Entry::milliseconds);
        let rows = self.found.iter().map(|c| {
            let mut row = vec![
                Entry::from(c.operation.name()),
                family(c).into(),
                self.verdict(c).into(),
                c.n.map_or("-".into(), Entry::count),
            ];
            for q in QUANTILES {
                row.extend([ms(c.measured_ms(q)), ms(c.fitted_ms(q))]);
            }
            row.push(ks(c).1.map_or("-".into(), Entry::count));
            row
        });
        let fitted = [(5, "fitted_p50"), (7, "fitted_p95"), (9, "fitted_p99")];
        let kinds = table(&header, 3, rows);
        let kinds = (fitted.iter()).fold(kinds, |t, (i, name)| t.naming(*i, name));
        let answer = Answer::new().table("kinds", kinds);
        let rest = Operation::ALL.iter().filter(|o| self.of(o.0).is_none());
        let rest: Vec<&str> = rest.map(|o| o.1).collect();
        match rest.as_slice() {
            [] => answer,
            rest => answer.gap().say(format!(
                "Not measured, as in {}: {}.",
                self.base_name,
                rest.join(", ")
            )),
        }
    }

    fn verdict(&self, c: &Calibrated) -> String {
        let said = match &c.finding {
            Finding::Family { .. } => "fits".to_owned(),
            Finding::Empirical { .. } => "no family fits: the observed values".to_owned(),
            Finding::Constant { .. } => "all values are the same".to_owned(),
            Finding::QuantileFamily { fits, .. } => match fits.first() {
                Some(f) => format!("fits the quantiles, {}", miss(f)),
                None => String::new(),
            },
            Finding::Piecewise { fits, .. } => match fits.first() {
                Some(f) => format!(
                    "no family within {} ({} {}): piecewise through the quantiles",
                    format::percent(WORST_MISS),
                    f.fitted.family().name(),
                    miss(f)
                ),
                None => "no family has these quantiles: piecewise through them".to_owned(),
            },
            Finding::TooFew => return format!("too few: as in {}", self.base_name),
        };
        match c.judges(0.99) {
            true => said,
            false => format!("{said}; p99 not judged: too few beyond it"),
        }
    }

    fn chart(&self, c: &Calibrated) -> Option<Chart> {
        let label = format!("{}: {}", self.label, c.operation.name());
        let dist = c.dist("")?;
        match &c.finding {
            Finding::Family { fit, .. } | Finding::Empirical { fit } => {
                let at = match &c.finding {
                    Finding::Family { accepted, .. } => *accepted,
                    _ => 0,
                };
                let report = latency::Report {
                    fit,
                    label: &label,
                    name: self.name,
                    operation: c.operation,
                    chosen: &dist,
                    base: self.base,
                    base_name: self.base_name,
                };
                fit.candidates.get(at).map(|best| report.qq_chart(best))
            }
            Finding::QuantileFamily { measured, fits } | Finding::Piecewise { measured, fits } => {
                fits.first().map(|best| of_quantiles(label, measured, best))
            }
            Finding::Constant { .. } | Finding::TooFew => None,
        }
    }
}

/// The measured quantiles against those of the best family.
fn of_quantiles(label: String, measured: &Quantiles, best: &QuantileFit) -> Chart {
    let name = best.fitted.family().name();
    let points = || {
        let pairs = LEVELS.iter().zip(measured.at_ms);
        pairs.map(|((level, _), ms)| (best.fitted.quantile(*level), ms))
    };
    let datum = |x: f64, y: f64| Datum {
        x,
        y,
        low: f64::NAN,
        high: f64::NAN,
    };
    let axis = |label: String| Axis {
        label,
        scale: Scale::Log,
        format: |v| format!("{} ms", format::count(v)),
        min: None,
        max: None,
    };
    let series = |name: &str, data: Vec<Datum>, colour: usize| Series {
        name: name.to_owned(),
        data,
        colour,
        dash: 0,
        scatter: colour == 1,
    };
    Chart {
        title: format!("Measured quantiles against a {name} distribution"),
        subtitle: format!("{label}; {}", miss(best)),
        x: axis(format!("quantile of the fitted {name} distribution (ms)")),
        y: axis("measured quantile (ms)".into()),
        series: vec![
            series("a perfect fit", points().map(|(x, _)| datum(x, x)).collect(), 0),
            series("P25, P50, P75, P90, P99, P99.9", points().map(|(x, y)| datum(x, y)).collect(), 1),
        ],
        marks: Vec::new(),
        note: "Fitted by least squares of the logarithms; the values themselves are not known, so that nothing is said of chance.".into(),
    }
}

fn miss(f: &QuantileFit) -> String {
    format!(
        "worst miss {} at p{}",
        format::percent(f.worst_miss),
        format::significant(100.0 * f.worst_at, 3)
    )
}

fn worst(c: &Calibrated) -> Option<&QuantileFit> {
    match &c.finding {
        Finding::QuantileFamily { fits, .. } | Finding::Piecewise { fits, .. } => fits.first(),
        _ => None,
    }
}

/// Distance and p-value: of the accepted family, or of the likeliest of those that were refused.
fn ks(c: &Calibrated) -> (Option<f64>, Option<f64>) {
    let candidate = match &c.finding {
        Finding::Family { fit, accepted } => fit.candidates.get(*accepted),
        Finding::Empirical { fit } => fit.candidates.first(),
        _ => None,
    };
    (candidate.map(|k| k.ks_distance), candidate.map(|k| k.ks_p))
}

fn family(c: &Calibrated) -> &'static str {
    match &c.finding {
        Finding::Family { fit, accepted } => fit.candidates[*accepted].fitted.family().name(),
        Finding::QuantileFamily { fits, .. } => {
            fits.first().map_or("-", |f| f.fitted.family().name())
        }
        Finding::Empirical { .. } => "empirical",
        Finding::Constant { .. } => "constant",
        Finding::Piecewise { .. } => "piecewise",
        Finding::TooFew => "-",
    }
}

/// Where a distribution of the profile comes from.
fn provenance(c: &Calibrated) -> String {
    let n =
        c.n.map_or("n unknown".to_owned(), |n| format!("n={}", n.round()));
    match &c.finding {
        Finding::Family { .. } => {
            let (distance, p) = ks(c);
            let number = |x: Option<f64>| x.map_or(String::new(), format::csv_number);
            format!(
                "Fitted, {n}: maximum likelihood, KS distance {} (p = {}).",
                number(distance),
                number(p)
            )
        }
        Finding::Empirical { .. } => format!("Observed values, {n}: no family fits."),
        Finding::Constant { .. } => format!("Observed, {n}: all the same."),
        Finding::QuantileFamily { fits, .. } => format!(
            "Fitted to quantiles, {n}: {}.",
            fits.first().map_or(String::new(), miss)
        ),
        Finding::Piecewise { .. } => format!(
            "Through the measured quantiles, {n}: even between them, as wide below the first as up to the second, nothing beyond the last."
        ),
        Finding::TooFew => String::new(),
    }
}
