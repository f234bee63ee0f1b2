//! The results of a sensitivity analysis as CSV, charts and tables.

use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::bars::{Bar, BarChart, Row};
use crate::report::draw::chart::{Axis, Mark, Scale};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::measured;
use crate::report::output::OutputDir;
use crate::report::settings::settings;
use crate::report::table::{Entry, Table, table};
use crate::run::metric::METRICS;
use crate::run::scenario::Scenario;
use crate::study::sensitivity::{Input, Inputs, Sensitivity, Settings, Share};
use crate::study::stats::Estimate;

/// A scenario with the results.
pub struct SensitivityReport<'a> {
    /// At the base of all inputs.
    pub scenario: &'a Scenario,
    /// The inputs with their ranges.
    pub inputs: &'a Inputs,
    /// What the inputs are called: a name or a file.
    pub inputs_name: &'a str,
    /// What was asked for.
    pub settings: &'a Settings,
    /// The results.
    pub result: &'a Sensitivity,
}

impl SensitivityReport<'_> {
    /// Writes everything that the analysis leaves behind into `out`.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(artefacts::SENSITIVITY_CSV, &self.csv())?;
        let mut charts = vec![("tornado", self.tornado())];
        if let Some(effects) = &self.result.morris {
            let values = effects
                .iter()
                .map(|e| (e.mu_star.mean, e.mu_star.low(), e.mu_star.high()));
            let title = "Elementary effects: which inputs matter, wherever the others are";
            let axis = format!(
                "mean magnitude of the effect on {} over the whole range",
                self.words()
            );
            let note = format!(
                "Morris' method, {} trajectories; whiskers: 95% confidence.",
                self.settings.trajectories
            );
            charts.push((
                "morris",
                self.ranked(title, axis, self.show(), values.collect(), note),
            ));
        }
        if let Some(sobol) = &self.result.sobol {
            let values = sobol
                .indices
                .iter()
                .map(|i| (i.total.value, i.total.low, i.total.high));
            let title = "Sobol indices: shares of the variance, interactions included";
            let axis = format!("share of the variance of {}, total index", self.words());
            let note = format!(
                "Jansen's estimator less noise ({} of the variance), {} rows; whiskers: bootstrapped 95% intervals.",
                format::percent(sobol.noise.value),
                self.settings.rows
            );
            charts.push((
                "sobol",
                self.ranked(title, axis, format::percent, values.collect(), note),
            ));
        }
        for (name, chart) in charts {
            out.draw(name, &chart)?;
        }
        Ok(())
    }

    fn measure(&self) -> &'static str {
        METRICS[self.settings.metric].name
    }

    /// What the measure is, in words.
    fn words(&self) -> String {
        measured::title(self.settings.metric)
    }

    /// How the measure's values are written.
    fn show(&self) -> fn(f64) -> String {
        let name = self.measure();
        if name.ends_with("_usd") {
            format::usd
        } else if ["_rate", "_share", "_ratio"]
            .iter()
            .any(|s| name.ends_with(s))
        {
            format::percent
        } else if name.ends_with("_ms") {
            format::milliseconds
        } else {
            format::count
        }
    }

    /// A value of an input, with its unit.
    fn value(&self, input: &Input, v: f64) -> String {
        let blank = match input.unit.is_empty() || input.unit.starts_with('/') {
            true => "",
            false => " ",
        };
        format!("{}{blank}{}", format::count(v), input.unit)
    }

    fn with_interval(&self, e: Estimate) -> String {
        if e.half_width.is_nan() {
            return (self.show())(e.mean);
        }
        if self.measure().ends_with("_usd") {
            return format::usd_estimate(e);
        }
        format!(
            "{} ± {}",
            (self.show())(e.mean),
            (self.show())(e.half_width)
        )
    }

    /// The measure's unit as machines read it.
    fn unit(&self) -> &'static str {
        let units = ["usd", "rate", "share", "ratio", "ms", "s"];
        let measure = self.measure();
        let mut ends = units.into_iter();
        let end = ends.find(|u| measure.ends_with(&format!("_{u}")));
        end.unwrap_or_default()
    }

    /// An effect with its interval.
    fn estimate(&self, e: Estimate) -> Entry {
        let text = self.with_interval(e);
        Entry::of(text, self.unit(), e.mean).with_half_width("ci95", e.half_width)
    }

    /// Inputs, those that move the measure most first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.inputs.inputs.len()).collect();
        let reach = |i: &usize| {
            let o = &self.result.one_at_a_time[*i];
            let effects = [o.low_effect.mean, o.high_effect.mean, o.swing.mean];
            effects.map(f64::abs).into_iter().fold(0.0, f64::max)
        };
        order.sort_by(|a, b| reach(b).total_cmp(&reach(a)));
        order
    }

    /// A row per input, in the order of its file.
    pub fn csv(&self) -> Vec<u8> {
        let mut header: Vec<String> = ["input", "field", "unit", "low", "base", "high", "measure"]
            .map(str::to_owned)
            .to_vec();
        let estimates = [
            "value_at_base",
            "value_at_low",
            "value_at_high",
            "effect_of_low",
            "effect_of_high",
            "swing",
            "morris_mu_star",
        ];
        header.extend(
            estimates
                .iter()
                .flat_map(|n| [(*n).to_owned(), format!("{n}_ci95")]),
        );
        header.extend(["morris_mu", "morris_sigma"].map(str::to_owned));
        for index in ["sobol_first", "sobol_total"] {
            header.extend(["", "_ci95_low", "_ci95_high"].map(|end| format!("{index}{end}")));
        }
        let r = self.result;
        let none = Estimate::of([]);
        let rows = self.inputs.inputs.iter().enumerate().map(|(i, input)| {
            let o = &r.one_at_a_time[i];
            let morris = r.morris.as_ref().map(|m| m[i]);
            let sobol = r.sobol.as_ref().map(|s| s.indices[i]);
            let mut row = vec![input.name.clone(), input.field.clone(), input.unit.clone()];
            row.extend([input.low, input.base, input.high].map(format::csv_number));
            row.push(self.measure().to_owned());
            let estimates = [
                r.base,
                o.at_low,
                o.at_high,
                o.low_effect,
                o.high_effect,
                o.swing,
                morris.map_or(none, |m| m.mu_star),
            ];
            row.extend(
                estimates
                    .iter()
                    .flat_map(|e| [e.mean, e.half_width].map(format::csv_number)),
            );
            let spread = morris.map_or([f64::NAN; 2], |m| [m.mu, m.sigma]);
            row.extend(spread.map(format::csv_number));
            let share = |s: Share| [s.value, s.low, s.high];
            let indices = sobol.map_or([[f64::NAN; 3]; 2], |s| [share(s.first), share(s.total)]);
            row.extend(indices.into_iter().flatten().map(format::csv_number));
            row
        });
        csv_bytes(header, rows)
    }

    /// The analyses side by side, most influential input first.
    pub fn table(&self) -> Table {
        let mut header = vec![
            "input",
            "low",
            "base",
            "high",
            "at low",
            "at high",
            "high - low",
        ];
        let r = self.result;
        if r.morris.is_some() {
            header.extend(["μ*", "μ", "σ"]);
        }
        if r.sobol.is_some() {
            header.extend(["first index", "total index"]);
        }
        let number = |x: f64| Entry::of((self.show())(x), self.unit(), x);
        let rows = self.order().into_iter().map(|i| {
            let input = &self.inputs.inputs[i];
            let o = &r.one_at_a_time[i];
            let value = |v: f64| Entry::of(self.value(input, v), "", v);
            let mut row = vec![Entry::from(input.name.as_str())];
            row.extend([input.low, input.base, input.high].map(value));
            row.extend([o.at_low, o.at_high, o.swing].map(|e| self.estimate(e)));
            if let Some(m) = &r.morris {
                row.extend([
                    self.estimate(m[i].mu_star),
                    number(m[i].mu),
                    number(m[i].sigma),
                ]);
            }
            if let Some(s) = &r.sobol {
                let share = |s: Share| {
                    let [v, l, h] = [s.value, s.low, s.high].map(format::percent);
                    Entry::of(format!("{v} ({l} to {h})"), "share", s.value)
                };
                row.extend([share(s.indices[i].first), share(s.indices[i].total)]);
            }
            row
        });
        table(&header, 1, rows)
    }

    /// How to read the table.
    pub fn explanation(&self) -> String {
        let mut text = format!(
            "Base: {} = {} with policy {} ({} replications, common random numbers, seed {}; ± is a 95% half-width).",
            self.measure(),
            self.with_interval(self.result.base),
            self.scenario.policies[0].name,
            self.settings.replications,
            self.settings.seed
        );
        if self.settings.trajectories > 0 {
            text.push_str(&format!(
                "\nμ*: mean magnitude of the effect over the whole range wherever the others are ({} trajectories); μ: with its sign; σ: how much it depends on the others or bends.",
                self.settings.trajectories
            ));
        }
        let effects = self.result.morris.iter().flatten();
        let left_out = effects.map(|e| e.left_out).max().unwrap_or(0);
        if left_out > 0 {
            text.push_str(&format!(
                " The measure has no value at some points: up to {left_out} effects of an input are left out."
            ));
        }
        if self.settings.rows > 0 {
            text.push_str(&format!(
                "\nIndices: share of the variance by an input alone, and with its interactions ({} rows, bootstrapped 95% intervals).",
                self.settings.rows
            ));
        }
        if let Some(sobol) = &self.result.sobol {
            text.push_str(&format!("\n{}", sobol.note()));
        }
        text
    }

    fn subtitle(&self) -> String {
        self.settings()
    }

    /// The settings in force at the base.
    pub fn settings(&self) -> String {
        let line = settings(self.scenario)
            .at(&[self.scenario.traffic_per_month])
            .with("--measure", self.measure())
            .with("--inputs", self.inputs_name)
            .replicated(self.settings.replications)
            .line();
        format!(
            "Policy {}; at the base: {line}",
            self.scenario.policies[0].name
        )
    }

    fn tornado(&self) -> BarChart {
        let base = self.result.base.mean;
        let rows = self.order().into_iter().map(|i| {
            let input = &self.inputs.inputs[i];
            let o = &self.result.one_at_a_time[i];
            let bar = |value: f64, effect: Estimate, colour| Bar {
                from: base,
                to: base + effect.mean,
                low: base + effect.low(),
                high: base + effect.high(),
                colour,
                label: self.value(input, value),
            };
            let mut bars = vec![
                bar(input.low, o.low_effect, 0),
                bar(input.high, o.high_effect, 1),
            ];
            // Where nothing moves, or both ends move the same way, the labels would meet.
            bars.retain(|b| b.to.is_finite() && b.from != b.to);
            let same_side = bars.len() == 2 && (bars[0].to > base) == (bars[1].to > base);
            if same_side {
                bars.sort_by(|a, b| (b.to - base).abs().total_cmp(&(a.to - base).abs()));
                bars[1].label.clear();
            }
            let is_known = !o.low_effect.mean.is_nan() || !o.high_effect.mean.is_nan();
            let remark = match (bars.is_empty(), is_known) {
                (false, _) => String::new(),
                (true, true) => format!(
                    "moves nothing from {} to {}",
                    self.value(input, input.low),
                    self.value(input, input.high)
                ),
                (true, false) => "too few calls to tell".into(),
            };
            Row {
                label: format!("{} (base {})", input.name, self.value(input, input.base)),
                remark,
                bars,
            }
        });
        BarChart {
            title: format!("What moves {}, one input at a time", self.words()),
            subtitle: self.subtitle(),
            x: self.axis(self.words(), self.show()),
            rows: rows.collect(),
            marks: vec![Mark {
                at: base,
                label: format!("base: {}", (self.show())(base)),
                vertical: true,
                colour: None,
            }],
            legend: vec![
                (0, "input at its low end".into()),
                (1, "input at its high end".into()),
            ],
            note: format!(
                "Whiskers: 95% confidence of the difference from the base over {} replications (common random numbers).",
                self.settings.replications
            ),
        }
    }

    fn axis(&self, label: String, format: fn(f64) -> String) -> Axis {
        Axis {
            label,
            scale: Scale::Linear,
            format,
            min: None,
            max: None,
        }
    }

    /// Bars from 0, the longest first.
    fn ranked(
        &self,
        title: &str,
        axis: String,
        show: fn(f64) -> String,
        values: Vec<(f64, f64, f64)>,
        note: String,
    ) -> BarChart {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*b].0.total_cmp(&values[*a].0));
        let rows = order.into_iter().map(|i| {
            let (to, low, high) = values[i];
            Row {
                label: self.inputs.inputs[i].name.clone(),
                remark: String::new(),
                bars: vec![Bar {
                    from: 0.0,
                    to,
                    low: low.max(0.0),
                    high,
                    colour: 0,
                    label: show(to),
                }],
            }
        });
        let mut x = self.axis(axis, show);
        x.min = Some(0.0);
        BarChart {
            title: title.to_owned(),
            subtitle: self.subtitle(),
            x,
            rows: rows.collect(),
            marks: Vec::new(),
            legend: Vec::new(),
            note,
        }
    }
}
