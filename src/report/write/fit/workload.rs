//! A fitted workload: a model file, CSV, charts and text.

use super::{inline, self_contained};
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::chart::{Axis, Chart, Datum, Scale, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::table::{Entry, Table, table};
use crate::study::fit::workload::{RESERVOIR, Slot, WorkloadFit};
use crate::workload::Secondary;
use crate::workload::trace::{BadReason, rfc3339};

/// A fit with what is made of it.
pub struct Report<'a> {
    /// The fit.
    pub fit: &'a WorkloadFit,
    /// What messages and comments call the log.
    pub label: &'a str,
    /// Name of the model file, without extension.
    pub name: &'a str,
    /// The workload that what the log does not tell is taken from.
    pub base_name: &'a str,
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Report<'_> {
    /// Writes the workload, fit_rates.csv, fit_dispersion.csv and the charts.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(&format!("{}.toml", self.name), self.model()?.as_bytes())?;
        out.write(artefacts::FIT_RATES_CSV, &self.rates_csv())?;
        out.write(artefacts::FIT_DISPERSION_CSV, &self.dispersion_csv())?;
        for (name, chart) in [
            ("rate_by_hour", self.hours_chart()),
            ("rate_by_weekday", self.days_chart()),
            ("dispersion", self.dispersion_chart()),
        ] {
            out.draw(name, &chart)?;
        }
        Ok(())
    }

    fn fitted(&self, n: u64) -> String {
        format!("Fitted from {}, n={n}, date not included", self.label)
    }

    /// The workload as a model file.
    fn model(&self) -> Result<String, WriteError> {
        let (fit, spec) = (self.fit, &self.fit.spec);
        let mut text = format!(
            "# A workload fitted to {}: {} recorded requests. The rate is not part of a workload: the log's\n\
             # is {} requests a month, for --traffic.\n\n",
            self.label,
            fit.records,
            self.traffic()
        );
        let records = self.fitted(fit.records);
        text.push_str(&format!(
            "# {records}: {}.\nspacing = {}\n",
            match (&fit.bursts, fit.dispersion.first()) {
                (Some(_), _) => "Poisson arrivals about the rate of the bursts".to_owned(),
                (None, Some(d)) => format!(
                    "index of dispersion {} in windows of {} s",
                    format::count(d.index.mean),
                    d.scale_s
                ),
                (None, None) => "too short for an index of dispersion".to_owned(),
            },
            inline(&spec.spacing)?
        ));
        if let Some(bursts) = &spec.bursts {
            let table = toml::to_string(bursts).map_err(WriteError::of_encoding("bursts"))?;
            text.push_str(&format!(
                "\n# {records}: matched to the dispersion of counts from 1 s to 10 min.\n[bursts]\n{table}"
            ));
        }
        if let Some(shape) = &spec.shape {
            let which = match (fit.hours_differ, fit.days_differ) {
                (true, true) => "hours of the day and days of the week, UTC",
                (true, false) => {
                    "hours of the day, UTC; the days do not differ by more than chance"
                }
                _ => "days of the week, UTC; the hours do not differ by more than chance",
            };
            text.push_str(&format!(
                "\n# {records}: {which}.\n[shape]\nhourly = {}\ndaily = {}\nutc_offset_h = {}\n",
                inline(&shape.hourly)?,
                inline(&shape.daily)?,
                shape.utc_offset_h
            ));
        }
        for (i, p) in spec.providers.iter().enumerate() {
            let seen = fit.origins.each.get(i);
            let from = |n: Option<u64>, more: &str| match n {
                Some(n) if n > 0 => format!("{}{more}", self.fitted(n)),
                _ => format!("As in {}, for want of observations", self.base_name),
            };
            let share = fit.origins.providers;
            let latency = seen.map(|s| s.latency);
            let sampled = match latency {
                Some(n) if n > RESERVOIR as u64 => {
                    format!(": the likeliest family for {RESERVOIR} of them at random")
                }
                _ => ": the likeliest family".to_owned(),
            };
            let dist = self_contained(&p.latency);
            let lines = [
                ("name", inline(&p.name)?, String::new()),
                ("share", inline(&p.share)?, from(share, "")),
                (
                    "success",
                    inline(&p.success)?,
                    from(seen.map(|s| s.success), ""),
                ),
                ("latency", inline(&dist)?, from(latency, &sampled)),
                (
                    "tokens",
                    inline(&p.tokens)?,
                    from(seen.map(|s| s.tokens), ""),
                ),
            ];
            text.push_str("\n[[providers]]\n");
            for (key, value, comment) in lines {
                if !comment.is_empty() {
                    text.push_str(&format!("# {comment}.\n"));
                }
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        for (name, side) in [
            ("metrics_reads", spec.metrics_reads),
            ("analytics_queries", spec.analytics_queries),
            ("health_checks", spec.health_checks),
        ] {
            let comment = match fit.origins.other_calls {
                true => self.fitted(fit.records),
                false => format!(
                    "As in {}: the log has recorded requests only",
                    self.base_name
                ),
            };
            let Secondary { per_request, rate } = side;
            text.push_str(&format!(
                "\n# {comment}.\n[{name}]\nper_request = {per_request:?}\nrate = {}\n",
                inline(&rate)?
            ));
        }
        Ok(text)
    }

    /// The log's rate, as `--traffic` takes it.
    fn traffic(&self) -> String {
        format!("{:.0}", self.fit.rate.as_per_month())
    }

    fn rates_csv(&self) -> Vec<u8> {
        let header = [
            "slot",
            "requests",
            "exposure_h",
            "rate_per_s",
            "rate_per_s_ci95",
            "shape_weight",
        ];
        let shape = self.fit.spec.shape.as_ref();
        let row = |slot: String, s: &Slot, weight: Option<f64>| {
            vec![
                slot,
                s.requests.to_string(),
                format::csv_number(s.exposure_s / 3_600.0),
                format::csv_number(s.rate),
                format::csv_number(s.half_width),
                weight.map(format::csv_number).unwrap_or_default(),
            ]
        };
        let hours = self.fit.hours.iter().enumerate();
        let hours = hours.map(|(h, s)| {
            let weight = shape.and_then(|s| s.hourly.get(h).copied());
            row(format!("{h:02}:00 UTC"), s, weight)
        });
        let days = self.fit.days.iter().enumerate();
        let days = days.map(|(d, s)| {
            let weight = shape.and_then(|s| s.daily.get(d).copied());
            row(DAYS[d].to_owned(), s, weight)
        });
        csv_bytes(header.map(str::to_owned).to_vec(), hours.chain(days))
    }

    fn dispersion_csv(&self) -> Vec<u8> {
        let header = [
            "window_s",
            "windows",
            "mean_requests",
            "peak_requests",
            "peak_to_mean",
            "index_of_dispersion",
            "index_of_dispersion_ci95",
            "allan_factor",
            "allan_factor_ci95",
            "index_of_dispersion_fitted",
        ];
        let pairs = self.fit.dispersion.iter().zip(&self.fit.fitted_dispersion);
        let rows = pairs.map(|(d, fitted)| {
            let mut row = vec![d.scale_s.to_string(), d.windows.to_string()];
            row.push(format::csv_number(d.mean));
            row.push(d.most.to_string());
            let numbers = [
                WorkloadFit::peak_to_mean(d),
                d.index.mean,
                d.index.half_width,
                d.allan.mean,
                d.allan.half_width,
                *fitted,
            ];
            row.extend(numbers.map(format::csv_number));
            row
        });
        csv_bytes(header.map(str::to_owned).to_vec(), rows)
    }

    /// What was read, and what was found.
    pub fn summary(&self) -> String {
        let fit = self.fit;
        let rate = fit.rate.as_per_second();
        let mut lines = vec![format!(
            "{}: {} recorded requests in {} from {} to {}\n  {} requests/s, {} a month of 30 days",
            self.label,
            fit.records,
            format::span(fit.last.since(fit.first)),
            rfc3339(fit.first),
            rfc3339(fit.last),
            format::count(rate),
            format::count(fit.rate.as_per_month())
        )];
        if fit.stats.bad_rows() > 0 {
            let all = BadReason::ALL.iter().zip(fit.stats.bad);
            let some = all.filter(|(_, n)| *n > 0);
            let reasons: Vec<String> = some
                .map(|((_, name), n)| format!("{n} for {name}"))
                .collect();
            lines.push(format!(
                "  {} rows left out because they cannot be used: {}",
                fit.stats.bad_rows(),
                reasons.join(", ")
            ));
            for bad in &fit.stats.first_bad {
                lines.push(format!(
                    "    {}:{}: field `{}`: {}",
                    self.label, bad.line, bad.field, bad.message
                ));
            }
        }
        if let Some(reason) = fit.too_short {
            lines.push(format!("  {reason}"));
        }
        let differ = |yes: bool| if yes { "differ" } else { "do not differ" };
        lines.push(format!(
            "  hours of the day {} by more than chance, days of the week {}",
            differ(fit.hours_differ),
            differ(fit.days_differ)
        ));
        lines.push(match &fit.bursts {
            None => "  no bursts beyond what Poisson arrivals have, as far as the log can tell".into(),
            Some(b) => format!(
                "  bursts: {} on, {} off on average, {} of the rate in bursts between them; the rate varies by {} of its mean and forgets in {} s",
                format::span(b.bursts.mean_on),
                format::span(b.bursts.mean_off),
                format::percent(b.bursts.off_level.get()),
                format::percent(b.variation),
                format::count(b.time_constant_s)
            ),
        });
        lines.join("\n")
    }

    /// Dispersion by length of the windows.
    pub fn table(&self) -> Table {
        let header = [
            "window",
            "windows",
            "mean",
            "peak",
            "peak/mean",
            "index of dispersion",
            "fitted",
        ];
        let pairs = self.fit.dispersion.iter().zip(&self.fit.fitted_dispersion);
        let rows = pairs.filter(|(d, _)| d.windows > 0).map(|(d, fitted)| {
            vec![
                Entry::of(format!("{} s", d.scale_s), "s", d.scale_s as f64),
                Entry::of(d.windows.to_string(), "", d.windows as f64),
                Entry::count(d.mean),
                Entry::of(d.most.to_string(), "", d.most as f64),
                Entry::count(WorkloadFit::peak_to_mean(d)),
                Entry::interval(d.index),
                Entry::count(*fitted),
            ]
        });
        table(&header, 1, rows)
    }

    fn slots_chart(
        &self,
        title: &str,
        label: &str,
        name: fn(f64) -> String,
        slots: &[Slot],
    ) -> Chart {
        let datum = |(i, s): (usize, &Slot)| Datum {
            x: i as f64,
            y: s.rate,
            low: (s.rate - s.half_width).max(0.0),
            high: s.rate + s.half_width,
        };
        let mean = self.fit.rate.as_per_second();
        let last = (slots.len() - 1) as f64;
        let flat = |x: f64| Datum {
            x,
            y: mean,
            low: f64::NAN,
            high: f64::NAN,
        };
        Chart {
            title: title.into(),
            subtitle: format!(
                "{}: {} recorded requests in {}",
                self.label,
                self.fit.records,
                format::span(self.fit.last.since(self.fit.first))
            ),
            x: Axis {
                label: label.into(),
                scale: Scale::Linear,
                format: name,
                min: Some(-0.5),
                max: Some(last + 0.5),
            },
            y: Axis {
                label: "recorded requests per second".into(),
                scale: Scale::Linear,
                format: format::count,
                min: Some(0.0),
                max: None,
            },
            series: vec![
                Series {
                    name: "rate".into(),
                    data: slots.iter().enumerate().map(datum).collect(),
                    colour: 0,
                    dash: 0,
                    scatter: false,
                },
                Series {
                    name: "mean of the log".into(),
                    data: vec![flat(0.0), flat(last)],
                    colour: 6,
                    dash: 1,
                    scatter: false,
                },
            ],
            marks: Vec::new(),
            note: "Band: 95% confidence, which allows for the fitted bursts but not for how one day may differ from the next.".into(),
        }
    }

    fn hours_chart(&self) -> Chart {
        let name = |v: f64| format!("{v:.0} h");
        self.slots_chart(
            "Rate by hour of the day",
            "hour of the day that begins (UTC)",
            name,
            &self.fit.hours,
        )
    }

    fn days_chart(&self) -> Chart {
        let name = |v: f64| {
            let whole = v >= 0.0 && v.fract() == 0.0;
            let day = DAYS.get(v as usize).filter(|_| whole);
            day.map(|d| (*d).to_owned()).unwrap_or_default()
        };
        self.slots_chart("Rate by day of the week", "day (UTC)", name, &self.fit.days)
    }

    fn dispersion_chart(&self) -> Chart {
        let known = || {
            let pairs = self.fit.dispersion.iter().zip(&self.fit.fitted_dispersion);
            pairs.filter(|(d, _)| d.index.mean > 0.0)
        };
        let floor = 0.01;
        let observed = known().map(|(d, _)| Datum {
            x: d.scale_s as f64,
            y: d.index.mean.max(floor),
            low: d.index.low().max(floor),
            high: d.index.high(),
        });
        let line = |f: fn(f64) -> f64| {
            let points = known().map(move |(d, fitted)| Datum {
                x: d.scale_s as f64,
                y: f(*fitted),
                low: f64::NAN,
                high: f64::NAN,
            });
            points.collect::<Vec<_>>()
        };
        let series = |name: &str, data, colour, dash| Series {
            name: name.to_owned(),
            data,
            colour,
            dash,
            scatter: false,
        };
        let mut all = vec![series("observed", observed.collect(), 0, 0)];
        if self.fit.bursts.is_some() {
            all.push(series("fitted workload", line(|f| f), 1, 1));
        }
        all.push(series("Poisson", line(|_| 1.0), 6, 2));
        Chart {
            title: "How bursty the requests are".into(),
            subtitle: format!(
                "{}: {} recorded requests in {}",
                self.label,
                self.fit.records,
                format::span(self.fit.last.since(self.fit.first))
            ),
            x: Axis {
                label: "length of the windows (s)".into(),
                scale: Scale::Log,
                format: |v| format!("{} s", format::count(v)),
                min: None,
                max: None,
            },
            y: Axis {
                label: "index of dispersion of counts".into(),
                scale: Scale::Log,
                format: format::count,
                min: None,
                max: None,
            },
            series: all,
            marks: Vec::new(),
            note: "Variance over mean of the counts in windows, about the mean of their hour. Band: 95% confidence (jackknife over hours)."
                .into(),
        }
    }
}
