//! Fitted latencies: a latency profile, fit.csv, quantile-quantile charts and a table.

use super::{inline, self_contained};
use crate::cloud::latency::LatencyProfile;
use crate::models::dist::Dist;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::chart::{Axis, Chart, Datum, Scale, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::table::{Entry, Table, table};
use crate::study::fit::Family;
use crate::study::fit::latency::{Candidate, LatencyFit, Operation, QqPoint};

/// A fit with what is made of it.
pub struct Report<'a> {
    /// The fit.
    pub fit: &'a LatencyFit,
    /// What messages and comments call the observations.
    pub label: &'a str,
    /// Name of the model file, without extension.
    pub name: &'a str,
    /// The entry of the profile that was fitted.
    pub operation: Operation,
    /// The distribution that was chosen for the operation.
    pub chosen: &'a Dist,
    /// The profile that the other entries come from.
    pub base: &'a LatencyProfile,
    /// The profile that the other operations are taken from.
    pub base_name: &'a str,
}

impl Report<'_> {
    /// Writes the profile, fit.csv and the charts; with an empirical distribution also its values.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(&format!("{}.toml", self.name), self.profile()?.as_bytes())?;
        out.write(artefacts::FIT_CSV, &self.csv())?;
        if let Dist::Empirical(e) = self.chosen
            && let Some(file) = &e.csv
        {
            let values = self.fit.values_ms.iter().map(|v| vec![v.to_string()]);
            out.write(file, &csv_bytes(vec!["latency_ms".into()], values))?;
        }
        for candidate in &self.fit.candidates {
            let name = candidate.fitted.family().name();
            out.draw(&format!("qq_{name}"), &self.qq_chart(candidate))?;
        }
        Ok(())
    }

    /// The profile as a model file: the operation fitted, the others from the base.
    fn profile(&self) -> Result<String, WriteError> {
        let fitted = self.operation.name();
        let mut text = format!(
            "# `{fitted}` fitted to {}, the other operations as in {}.\ntitle = {}\n",
            self.label,
            self.base_name,
            inline(&format!(
                "{}: {fitted} from {}",
                self.base.title, self.label
            ))?
        );
        let mut base = self.base.clone();
        for (operation, name) in Operation::ALL {
            let mut line = |comment: String, dist: &Dist| -> Result<(), WriteError> {
                text.push_str(&format!("# {comment}\n{name} = {}\n", inline(dist)?));
                Ok(())
            };
            if operation == self.operation {
                line(self.provenance(), self.chosen)?;
            } else {
                let dist = self_contained(operation.of(&mut base));
                line(format!("As in {}.", self.base_name), &dist)?;
            }
        }
        Ok(text)
    }

    fn provenance(&self) -> String {
        let n = self.fit.values_ms.len();
        let chosen = self
            .fit
            .candidates
            .iter()
            .find(|c| c.fitted.dist() == *self.chosen);
        match chosen {
            Some(c) => format!(
                "Fitted from {}, n={n}, date not included: maximum likelihood, KS distance {} (p = {}).",
                self.label,
                format::csv_number(c.ks_distance),
                format::csv_number(c.ks_p)
            ),
            None => format!(
                "Observed values from {}, n={n}, date not included.",
                self.label
            ),
        }
    }

    /// A row for the observed values and one for each family.
    fn csv(&self) -> Vec<u8> {
        let header = [
            "distribution",
            "n",
            "parameter_1",
            "value_1",
            "value_1_ci95",
            "parameter_2",
            "value_2",
            "value_2_ci95",
            "log_likelihood",
            "aic",
            "delta_aic",
            "ks_distance",
            "ks_p",
            "mean_ms",
            "p50_ms",
            "p95_ms",
            "p99_ms",
            "p999_ms",
        ];
        let n = self.fit.values_ms.len();
        let number = format::csv_number;
        let mut rows = Vec::new();
        let mut observed = vec!["observed".to_owned(), n.to_string()];
        observed.extend(vec![String::new(); 11]);
        observed.push(number(self.fit.mean_ms()));
        observed.extend(QUANTILES.map(|p| number(self.fit.quantile_ms(p))));
        rows.push(observed);
        for c in &self.fit.candidates {
            let mut row = vec![c.fitted.family().name().to_owned(), n.to_string()];
            let mut parameters = c.fitted.estimates(n).into_iter();
            for _ in 0..2 {
                match parameters.next() {
                    Some(p) => {
                        row.extend([p.name.to_owned(), number(p.value), number(p.half_width)]);
                    }
                    None => row.extend(vec![String::new(); 3]),
                }
            }
            row.extend([c.log_likelihood, c.aic, c.delta_aic, c.ks_distance, c.ks_p].map(number));
            row.push(number(c.fitted.dist().mean_ms()));
            row.extend(QUANTILES.map(|p| number(c.fitted.quantile(p))));
            rows.push(row);
        }
        csv_bytes(header.map(str::to_owned).to_vec(), rows.into_iter())
    }

    /// The table for the terminal.
    pub fn table(&self) -> Table {
        let header = [
            "distribution",
            "parameters",
            "ΔAIC",
            "KS distance",
            "KS p",
            "mean",
            "p50",
            "p95",
            "p99",
            "p99.9",
        ];
        let n = self.fit.values_ms.len();
        let ms = Entry::milliseconds;
        let mut rows = Vec::new();
        for c in &self.fit.candidates {
            let parameters = c.fitted.estimates(n).into_iter().map(|p| {
                let (value, half) = (format::count(p.value), format::count(p.half_width));
                match p.name.strip_suffix("_ms") {
                    Some(name) => format!("{name} {value} ± {half} ms"),
                    None => format!("{} {value} ± {half}", p.name),
                }
            });
            let mut row = vec![
                Entry::from(c.fitted.family().name()),
                parameters.collect::<Vec<_>>().join(", ").into(),
                Entry::count(c.delta_aic),
                Entry::count(c.ks_distance),
                Entry::count(c.ks_p),
                ms(c.fitted.dist().mean_ms()),
            ];
            row.extend(QUANTILES.map(|p| ms(c.fitted.quantile(p))));
            rows.push(row);
        }
        let missing = Family::ALL.into_iter().filter(|f| {
            let found = self.fit.candidates.iter().any(|c| c.fitted.family() == *f);
            !found
        });
        for family in missing {
            let mut row = vec![Entry::from(family.name()), "none: a value is 0".into()];
            row.extend(vec![Entry::from("-"); 8]);
            rows.push(row);
        }
        let mut observed = vec![Entry::from("observed"), format!("n = {n}").into()];
        observed.extend(vec![Entry::from("-"); 3]);
        observed.push(ms(self.fit.mean_ms()));
        observed.extend(QUANTILES.map(|p| ms(self.fit.quantile_ms(p))));
        rows.push(observed);
        table(&header, 2, rows)
    }

    /// What the table says in words.
    pub fn verdict(&self) -> String {
        let Some(best) = self.fit.candidates.first() else {
            return "No family could be fitted.".to_owned();
        };
        let name = best.fitted.family().name();
        if best.ks_p < 0.05 {
            format!(
                "The likeliest family is {name}, but its distance would come by chance in {} of samples only:\n\
                 see how far qq_{name}.png is off where it matters, or take --distribution empirical, which gives\n\
                 back the observed values and nothing beyond the largest.",
                format::percent(best.ks_p)
            )
        } else {
            format!(
                "The likeliest family is {name}, and the values do not speak against it (KS p = {}, by parametric bootstrap).",
                format::count(best.ks_p)
            )
        }
    }

    /// Order statistics against the quantiles of the fit.
    pub fn qq_chart(&self, candidate: &Candidate) -> Chart {
        let name = candidate.fitted.family().name();
        let is_drawn = |q: &&QqPoint| q.fitted > 0.0 && q.fitted.is_finite();
        let points = || candidate.qq.iter().filter(is_drawn);
        let positive = points().flat_map(|q| [q.fitted, q.observed, q.low, q.high]);
        let positive: Vec<f64> = positive.filter(|v| *v > 0.0 && v.is_finite()).collect();
        let least = positive.iter().copied().fold(f64::INFINITY, f64::min);
        let most = positive.iter().copied().fold(0.0, f64::max);
        let axis = |label: String| Axis {
            label,
            scale: Scale::Log,
            format: |v| format!("{} ms", format::count(v)),
            min: Some(least / 1.1),
            max: Some(most * 1.1),
        };
        let at = |q: &QqPoint| Datum {
            x: q.fitted,
            y: q.observed,
            low: f64::NAN,
            high: f64::NAN,
        };
        let diagonal = |q: &QqPoint| Datum {
            x: q.fitted,
            y: q.fitted,
            low: q.low.max(least),
            high: q.high,
        };
        let parameters = candidate.fitted.estimates(self.fit.values_ms.len());
        let parameters = parameters
            .iter()
            .map(|p| format!("{} {}", p.name, format::count(p.value)));
        Chart {
            title: format!("Observed latencies against a {name} distribution"),
            subtitle: format!(
                "{}: n = {}; {}; KS distance {}, p = {}; ΔAIC {}",
                self.label,
                self.fit.values_ms.len(),
                parameters.collect::<Vec<_>>().join(", "),
                format::count(candidate.ks_distance),
                format::count(candidate.ks_p),
                format::count(candidate.delta_aic)
            ),
            x: axis(format!("quantile of the fitted {name} distribution (ms)")),
            y: axis("observed latency (ms)".into()),
            series: vec![
                Series {
                    name: "a perfect fit".into(),
                    data: points().map(diagonal).collect(),
                    colour: 0,
                    dash: 0,
                    scatter: false,
                },
                Series {
                    name: "observed".into(),
                    data: points().map(at).collect(),
                    colour: 1,
                    dash: 0,
                    scatter: true,
                },
            ],
            marks: Vec::new(),
            note: "Band: where 95% of samples from the fit would have each point (pointwise). At most 160 of the observed values are drawn, the extreme ones all."
                .into(),
        }
    }
}

const QUANTILES: [f64; 4] = [0.5, 0.95, 0.99, 0.999];
