//! What changes from an old side to a new one: Markdown for a pull request, JSON for programs.

use super::assertions::{doubt_words, sign};
use crate::report::artefacts;
use crate::report::error::WriteError;
use crate::report::markdown::{code, table};
use crate::report::measured;
use crate::report::output::{OutputDir, json};
use crate::report::reason::reason_words;
use crate::report::record;
use crate::run::metric::{METRICS, position};
use crate::run::scenario::Scenario;
use crate::study::condition::{Answer, Change, Doubt};
use crate::study::diff::{Checked, Diff, Difference, Figure, Kind, Pair, Pairing, Side, Verdict};
use crate::study::stats::Estimate;
use serde_json::{Map, Value, json};

/// The measures that people are shown, in their order; the JSON has all.
const SHOWN: [&str; 18] = [
    "cost_usd",
    "requests_refused_share",
    "kv_quota_exceeded_share",
    "loss_rate",
    "kv_reads_per_month",
    "kv_writes_per_month",
    "kv_deletes_per_month",
    "kv_lists_per_month",
    "operations_per_request",
    "hit_ratio",
    "query_p50_ms",
    "query_p95_ms",
    "metrics_p50_ms",
    "metrics_p95_ms",
    "record_p50_ms",
    "record_p95_ms",
    "error_rate",
    "answer_age_p50_s",
];

/// Those that stand beside a cost, whatever they are.
const ALWAYS: usize = 4;

/// A comparison with all that it rests on.
pub struct DiffReport<'a> {
    /// What was compared.
    pub kind: Kind,
    /// What the old and the new side are called.
    pub names: [&'a str; 2],
    /// The settings in force on each side, in one line.
    pub settings: [Option<String>; 2],
    /// Both sides at all points.
    pub diff: &'a Diff,
    /// Thresholds at all points.
    pub checked: &'a [Checked],
    /// The scenarios that were simulated; none of folders.
    pub scenarios: Option<[&'a Scenario; 2]>,
    /// The arguments of the command, as they can be given again.
    pub arguments: Vec<String>,
}

impl DiffReport<'_> {
    /// Writes both forms, and what it takes to repeat the comparison.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(artefacts::DIFF_MD, self.markdown().as_bytes())?;
        out.write(artefacts::DIFF_JSON, &self.json()?)?;
        let scenarios = self.scenarios.iter().flatten();
        let run = json!({
            "kvplan": env!("CARGO_PKG_VERSION"),
            "command": "diff",
            "arguments": self.arguments,
            "seed": self.scenarios.map(|s| s[0].seed),
            "settings": self.settings[1],
            "settings_of_old": self.settings[0],
            "scenarios": scenarios
                .zip(["old", "new"])
                .map(|(scenario, side)| json!({ "side": side, "scenario": scenario }))
                .collect::<Vec<_>>(),
        });
        record::write(out, &json(artefacts::RUN_JSON, &run)?)
    }

    /// A comment of a pull request.
    pub fn markdown(&self) -> String {
        let [old, new] = self.names.map(code);
        let kind = self.kind;
        let mut parts = vec![format!("## kvplan: {kind} {old} → {new}")];
        parts.extend(self.told_settings());
        if !self.checked.is_empty() {
            parts.push(self.thresholds());
        }
        parts.extend(self.diff.pairs.iter().map(point));
        parts.extend(self.alone());
        parts.push(
            "Differences are new − old, with 95% intervals for each measure by itself; one that holds 0 is no significant difference. A month has 30 days. All measures: `--format json`."
                .into(),
        );
        parts.join("\n\n") + "\n"
    }

    fn told_settings(&self) -> Vec<String> {
        let told = |s: &Option<String>| s.as_deref().map_or("not stated".to_owned(), code);
        match &self.settings {
            [old, new] if old == new => vec![told(new)],
            [old, new] => vec![format!("- old: {}\n- new: {}", told(old), told(new))],
        }
    }

    /// Thresholds with what became of them; those that are crossed first.
    fn thresholds(&self) -> String {
        let of = |wanted: &dyn Fn(Answer) -> bool| {
            let those = self.checked.iter().filter(|c| wanted(c.crossed));
            those
                .map(|c| format!("- {}", self.threshold(c, code)))
                .collect::<Vec<_>>()
        };
        let crossed = of(&|a| a == Answer::Yes);
        let undecided = of(&|a| matches!(a, Answer::Undecided(_)));
        let kept = of(&|a| a == Answer::No);
        let heading = format!(
            "### Thresholds: {} crossed, {} undecided, {} kept",
            crossed.len(),
            undecided.len(),
            kept.len()
        );
        let rule = "One is crossed if the whole 95% interval of the change is beyond it, undecided if it is within the interval.";
        let lines = [crossed, undecided, kept].concat().join("\n");
        [heading, lines, rule.into()].join("\n\n")
    }

    /// A threshold in a line; `name` makes of a name what its place needs.
    fn threshold(&self, c: &Checked, name: impl Fn(&str) -> String) -> String {
        let Some(pair) = self.diff.pairs.get(c.pair) else {
            return name(&c.change.text);
        };
        let metric = c.change.metric;
        let (word, as_it_should_be) = match c.crossed {
            Answer::Yes => ("crossed".to_owned(), Answer::No),
            Answer::No => ("kept".to_owned(), Answer::Yes),
            Answer::Undecided(doubt) => (format!("undecided, {}", doubt_words(doubt)), c.crossed),
        };
        format!(
            "{} {} {word}: {}{} ({})",
            sign(as_it_should_be),
            name(&c.change.text),
            measured::change(metric, c.found),
            in_percent(pair, metric).map_or(String::new(), |p| format!(", {p}")),
            title(pair, name)
        )
    }

    /// The thresholds that are crossed, and if asked for those that are undecided, a line each, for a terminal.
    pub fn crossed(&self, undecided_too: bool) -> Option<String> {
        let told = |c: &&Checked| match c.crossed {
            Answer::Yes => true,
            Answer::No => false,
            Answer::Undecided(_) => undecided_too,
        };
        let lines: Vec<String> = self
            .checked
            .iter()
            .filter(told)
            .map(|c| self.threshold(c, str::to_owned))
            .collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// What has nothing to be compared with.
    fn alone(&self) -> Option<String> {
        let names = |sides: &[Side]| {
            let name = |s: &Side| format!("{} at {}", code(&s.policy), s.traffic);
            sides.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        let told: Vec<String> = ["old", "new"]
            .iter()
            .zip(&self.diff.alone)
            .filter(|(_, sides)| !sides.is_empty())
            .map(|(which, sides)| format!("Only {which}, not compared: {}.", names(sides)))
            .collect();
        (!told.is_empty()).then(|| told.join(" "))
    }

    /// Every measure, for programs.
    ///
    /// # Errors
    /// If it has no such form.
    pub fn json(&self) -> Result<Vec<u8>, WriteError> {
        let [old, new] = self.names;
        let alone = |sides: &[Side]| -> Vec<Value> { sides.iter().map(side_json).collect() };
        let value = json!({
            "kvplan": env!("CARGO_PKG_VERSION"),
            "kind": self.kind.to_string(),
            "old": old,
            "new": new,
            "settings": { "old": self.settings[0], "new": self.settings[1] },
            "points": self.diff.pairs.iter().map(point_json).collect::<Vec<_>>(),
            "only_old": alone(&self.diff.alone[0]),
            "only_new": alone(&self.diff.alone[1]),
            "thresholds": self.checked.iter().map(|c| self.threshold_json(c)).collect::<Vec<_>>(),
        });
        json(artefacts::DIFF_JSON, &value)
    }

    fn threshold_json(&self, c: &Checked) -> Value {
        let Change { text, metric, .. } = &c.change;
        let side = self.diff.pairs.get(c.pair).map(|p| side_json(&p.new));
        let (verdict, why) = match c.crossed {
            Answer::Yes => ("crossed", None),
            Answer::No => ("kept", None),
            Answer::Undecided(doubt) => ("undecided", Some(doubt_words(doubt))),
        };
        json!({
            "threshold": text,
            "measure": METRICS[*metric].name,
            "point": side,
            "difference": estimate_json(c.found),
            "verdict": verdict,
            "undecided_as": why,
        })
    }
}

/// The name of a point.
pub(in crate::report) fn title(pair: &Pair, name: impl Fn(&str) -> String) -> String {
    let both = |old: String, new: String| match old == new {
        true => new,
        false => format!("{old} → {new}"),
    };
    let policy = both(name(&pair.old.policy), name(&pair.new.policy));
    let traffic = both(pair.old.traffic.to_string(), pair.new.traffic.to_string());
    let plan = match pair.old.plan == pair.new.plan {
        true => String::new(),
        false => format!(", plan {} → {}", name(&pair.old.plan), name(&pair.new.plan)),
    };
    format!("policy {policy}, {traffic} requests/month{plan}")
}

/// What is said of an interval that holds 0.
pub(in crate::report) const NO_DIFFERENCE: &str = "no significant difference";

/// What people are shown of a point.
pub(in crate::report) struct Told {
    /// Measure, old, new, difference, what the interval says.
    pub(in crate::report) rows: Vec<[String; 5]>,
    /// For what less than the whole work a bill is: the side, and why.
    pub(in crate::report) partial: Vec<(&'static str, String)>,
    /// How the replications belong together.
    pub(in crate::report) pairing: String,
}

/// A point in words.
pub(in crate::report) fn told(pair: &Pair) -> Told {
    let rows = SHOWN.iter().enumerate().filter_map(|(i, name)| {
        let metric = position(name);
        let sides = [&pair.old, &pair.new].map(|s| &s.figures[metric]);
        let tells = |f: &&Figure| {
            let mean = f.estimate.mean;
            f.too_few || (mean != 0.0 && !mean.is_nan())
        };
        if i >= ALWAYS && !sides.iter().any(tells) {
            return None;
        }
        let [old, new] = sides.map(|f| measured::value(metric, f.estimate, f.too_few));
        let change = pair.changes[metric];
        Some([
            (*name).to_owned(),
            old,
            new,
            measured::change(metric, change.estimate),
            verdict_words(change, pair, metric),
        ])
    });
    let sides = ["old", "new"].into_iter().zip(pair.partial);
    let partial = sides.filter_map(|(which, reason)| Some((which, reason_words(reason?))));
    let n = [pair.old.replications, pair.new.replications];
    Told {
        rows: rows.collect(),
        partial: partial.collect(),
        pairing: match pair.pairing {
            Pairing::Paired => format!(
                "Paired by replication ({}): both met the same arrivals and failures.",
                n[1]
            ),
            Pairing::Unpaired(why) => format!(
                "Not paired ({} and {} replications): {why}. Intervals are Welch's, and wider.",
                n[0], n[1]
            ),
        },
    }
}

/// A point: a table of its measures, and what its bills are not for.
fn point(pair: &Pair) -> String {
    let header = ["measure", "old", "new", "difference", ""].map(str::to_owned);
    let mut rows = vec![header.to_vec()];
    let told = told(pair);
    rows.extend(told.rows.into_iter().map(|mut row| {
        row[0] = format!("`{}`", row[0]);
        row.to_vec()
    }));
    let mut text = format!("### {}\n\n{}", capital(&title(pair, code)), table(&rows, 1));
    for (which, reason) in told.partial {
        text.push_str(&format!(
            "\n\n**The {which} bill is not for the whole work:** {reason}."
        ));
    }
    text + "\n\n" + &told.pairing
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

fn verdict_words(change: Difference, pair: &Pair, metric: usize) -> String {
    let word = match change.verdict {
        Verdict::NotSignificant => return NO_DIFFERENCE.into(),
        Verdict::Unknown(Doubt::NoValue) => return only(pair, metric).into(),
        Verdict::Unknown(doubt) => return format!("cannot tell: {}", doubt_words(doubt)),
        Verdict::Higher => "higher",
        Verdict::Lower => "lower",
    };
    match in_percent(pair, metric) {
        Some(percent) => format!("{word}, {percent}"),
        None => word.into(),
    }
}

/// Which side has a value of a measure that does not have both.
fn only(pair: &Pair, metric: usize) -> &'static str {
    let known = [&pair.old, &pair.new].map(|s| !s.figures[metric].estimate.mean.is_nan());
    match known {
        [true, false] => "cannot tell: new has no value",
        [false, true] => "cannot tell: old has no value",
        _ => "cannot tell: there is no value",
    }
}

/// What a measure changes by, relative to the old value; none where that is nothing, or not known.
fn in_percent(pair: &Pair, metric: usize) -> Option<String> {
    let [old, new] = [&pair.old, &pair.new].map(|s| &s.figures[metric]);
    let known = !(old.too_few || new.too_few);
    known
        .then(|| measured::relative(old.estimate.mean, new.estimate.mean))
        .flatten()
}

fn side_json(side: &Side) -> Value {
    json!({
        "policy": side.policy,
        "traffic_per_month": side.traffic.0,
        "plan": side.plan,
        "replications": side.replications,
        "seed": side.seed,
        "simulated_hours": side.period_hours,
    })
}

/// An estimate; null where nothing is known.
fn estimate_json(e: Estimate) -> Value {
    let known = |x: f64| x.is_finite().then_some(x);
    json!({ "mean": known(e.mean), "ci95": known(e.half_width), "replications": e.n })
}

fn point_json(pair: &Pair) -> Value {
    let measures = METRICS.iter().zip(&pair.changes).enumerate();
    let measures: Map<String, Value> = measures
        .map(|(i, (m, change))| (m.name.to_owned(), measure_json(pair, i, *change)))
        .collect();
    let (paired, why) = match pair.pairing {
        Pairing::Paired => (true, None),
        Pairing::Unpaired(why) => (false, Some(why)),
    };
    json!({
        "old": side_json(&pair.old),
        "new": side_json(&pair.new),
        "paired": paired,
        "not_paired_as": why,
        "old_bill_not_for_the_whole_work": pair.partial[0].map(reason_words),
        "new_bill_not_for_the_whole_work": pair.partial[1].map(reason_words),
        "measures": measures,
    })
}

fn measure_json(pair: &Pair, metric: usize, change: Difference) -> Value {
    let of = |side: &Side| {
        let figure = &side.figures[metric];
        let mut value = estimate_json(figure.estimate);
        if figure.too_few {
            value["too_few"] = true.into();
        }
        value
    };
    let (verdict, why) = match change.verdict {
        Verdict::NotSignificant => ("no significant difference", None),
        Verdict::Higher => ("higher", None),
        Verdict::Lower => ("lower", None),
        Verdict::Unknown(doubt) => ("cannot tell", Some(doubt_words(doubt))),
    };
    json!({
        "old": of(&pair.old),
        "new": of(&pair.new),
        "difference": estimate_json(change.estimate),
        "verdict": verdict,
        "cannot_tell_as": why,
    })
}
