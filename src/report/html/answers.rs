//! What a sweep answers, read from its table of results.

use super::folder::Csv;
use super::table::{Cell, Column, Table};
use crate::report::format;
use crate::run::metric::ALLOWANCES;
use crate::study::stats::Estimate;
use crate::study::sweep::crossing_of;

/// A question with what the results say, in one or more sentences.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub question: String,
    pub lines: Vec<String>,
}

/// The rows of a sweep, for reading by level and policy.
struct Sweep<'a> {
    csv: &'a Csv,
    /// Levels, rising, with the text of their cell.
    levels: Vec<(f64, String)>,
    policies: Vec<&'a str>,
    plan: &'a str,
}

/// Measures of what goes wrong.
const TROUBLES: [(&str, &str); 4] = [
    ("requests_refused_share", "of the requests are refused"),
    (
        "kv_quota_exceeded_share",
        "of the KV operations are refused",
    ),
    ("loss_rate", "of the records are lost"),
    ("error_rate", "of the calls fail"),
];

/// The answers and tables of `sweep.csv`; none if it is not a sweep of traffic by policy, with one
/// row for each.
pub fn of_sweep(csv: &Csv) -> Option<(Vec<Answer>, Vec<Table>)> {
    let sweep = Sweep::new(csv)?;
    let answers = [
        sweep.cheapest(),
        sweep.allowance(),
        sweep.trouble(),
        sweep.cache(),
        sweep.queries(),
    ];
    let tables = vec![sweep.costs(), sweep.key_figures()];
    Some((answers.into_iter().flatten().collect(), tables))
}

impl<'a> Sweep<'a> {
    fn new(csv: &'a Csv) -> Option<Self> {
        let column = |name: &str| csv.header.iter().position(|h| h == name);
        let (traffic, policy) = (column("traffic_per_month")?, column("policy")?);
        let plan = column("plan")?;
        column("cost_usd")?;
        let mut levels: Vec<(f64, String)> = Vec::new();
        let mut policies: Vec<&str> = Vec::new();
        for row in &csv.rows {
            let level: f64 = row[traffic].parse().ok()?;
            if levels.iter().all(|l| l.0 != level) {
                levels.push((level, row[traffic].clone()));
            }
            if !policies.contains(&row[policy].as_str()) {
                policies.push(&row[policy]);
            }
        }
        levels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let sweep = Sweep {
            csv,
            policies,
            plan: &csv.rows.first()?[plan],
            levels,
        };
        let rows = sweep.levels.len() * sweep.policies.len();
        let is_sweep = rows == csv.rows.len()
            && csv.rows.iter().all(|r| r[plan] == sweep.plan)
            && sweep.points().all(|(l, p)| sweep.row(l, p).is_some());
        is_sweep.then_some(sweep)
    }

    /// Every level with every policy.
    fn points(&self) -> impl Iterator<Item = (&str, &'a str)> {
        let policies = &self.policies;
        self.levels
            .iter()
            .flat_map(move |(_, level)| policies.iter().map(move |p| (level.as_str(), *p)))
    }

    fn row(&self, level: &str, policy: &str) -> Option<&'a [String]> {
        let at = |name: &str| self.csv.header.iter().position(|h| h == name);
        let (traffic, of) = (at("traffic_per_month")?, at("policy")?);
        let mut rows = self.csv.rows.iter();
        Some(rows.find(|r| r[traffic] == level && r[of] == policy)?)
    }

    /// A measure with its interval; NaN where the table has none.
    fn get(&self, level: &str, policy: &str, measure: &str) -> Estimate {
        let number = |name: &str| -> Option<f64> {
            let at = self.csv.header.iter().position(|h| h == name)?;
            self.row(level, policy)?[at].parse().ok()
        };
        Estimate {
            mean: number(measure).unwrap_or(f64::NAN),
            half_width: number(&format!("{measure}_ci95")).unwrap_or(f64::NAN),
            n: number("replications").unwrap_or(0.0) as usize,
        }
    }

    /// The measure of a policy at each level that has one.
    fn line(&self, policy: &str, measure: &str) -> Vec<(f64, f64)> {
        let point = |(x, level): &(f64, String)| (*x, self.get(level, policy, measure).mean);
        let points = self.levels.iter().map(point);
        points.filter(|(_, y)| y.is_finite()).collect()
    }

    /// How a policy's cost compares at a level: `yes`, `tied`, `no`, `excluded: ...`; empty in a table
    /// without that column.
    fn standing(&self, level: &str, policy: &str) -> &'a str {
        self.text(level, policy, "cheapest")
    }

    /// A cell as it stands; empty without such a column.
    fn text(&self, level: &str, policy: &str, column: &str) -> &'a str {
        let at = self.csv.header.iter().position(|h| h == column);
        let cell = at.and_then(|i| self.row(level, policy)?.get(i));
        cell.map_or("", String::as_str)
    }

    /// Whether too few calls came for a percentile.
    fn is_too_few(&self, level: &str, policy: &str, measure: &str) -> bool {
        let mut names = self.text(level, policy, "too_few").split(' ');
        names.any(|n| n == measure)
    }

    /// The policies that cost least at a level, as the sweep has found by paired differences: one, or
    /// those that cannot be told apart; none if no policy does the work.
    fn cheapest_at(&self, level: &str) -> Vec<&'a str> {
        let least = |p: &&str| matches!(self.standing(level, p), "yes" | "tied");
        self.policies.iter().copied().filter(least).collect()
    }

    /// The policies whose bill is not for the whole work, at a level, and why.
    fn excluded_at(&self, level: &str) -> Vec<(&'a str, &'a str)> {
        let why = |p: &&'a str| {
            let why = self.standing(level, p).strip_prefix("excluded: ")?;
            Some((*p, why))
        };
        self.policies.iter().filter_map(why).collect()
    }

    fn cheapest(&self) -> Option<Answer> {
        let has = self.csv.header.iter().any(|h| h == "cheapest");
        if self.policies.len() < 2 || !has {
            return None;
        }
        type Span<'b> = (Vec<&'b str>, Vec<&'b str>, &'b str, &'b str);
        let mut spans: Vec<Span> = Vec::new();
        for (_, level) in &self.levels {
            let winners = self.cheapest_at(level);
            let excluded: Vec<&str> = self.excluded_at(level).iter().map(|e| e.0).collect();
            match spans.last_mut() {
                Some((same, out, _, last)) if *same == winners && *out == excluded => *last = level,
                _ => spans.push((winners, excluded, level, level)),
            }
        }
        let mut lines: Vec<String> = spans
            .iter()
            .map(|(winners, excluded, first, last)| self.least_line(winners, excluded, first, last))
            .collect();
        let first = self.get(&self.levels[0].1, self.policies[0], "cost_usd");
        lines.push(
            if first.half_width.is_nan() {
                "One replication: there is no interval, so small differences may be chance."
            } else {
                "Policies are told apart by the paired differences of their replications, at 95% for each pair."
            }
            .to_owned(),
        );
        Some(Answer {
            question: "Which policy costs least?".into(),
            lines,
        })
    }

    /// What costs least from one level to another, and what that is at the last of them.
    fn least_line(&self, winners: &[&str], excluded: &[&str], first: &str, last: &str) -> String {
        let (span, at) = if first == last {
            (format!("At {}", words(first)), String::new())
        } else {
            (
                format!("From {} to {}", words(first), words(last)),
                format!("at {}: ", words(last)),
            )
        };
        let able = self.policies.iter().filter(|p| !excluded.contains(p));
        let costs = able.map(|p| {
            let cost = format::usd_estimate(self.get(last, p, "cost_usd"));
            format!("{p} {}", cost.replace(' ', "\u{a0}"))
        });
        let costs = list(costs);
        let names = list(winners.iter().map(|w| (*w).to_owned()));
        let mut line = match winners.len() {
            0 => format!("{span}: none does the whole work"),
            1 => format!("{span}: {names} ({at}{costs})"),
            _ => format!("{span}: no difference that can be told between {names} ({at}{costs})"),
        };
        let out = self.excluded_at(last);
        if !out.is_empty() {
            let out = out.iter().map(|(p, why)| format!("{p}, which {why}"));
            line.push_str(&format!("; left out {at}{}", list(out)));
        }
        line + "."
    }

    fn allowance(&self) -> Option<Answer> {
        let mut lines = Vec::new();
        let mut some = false;
        for policy in &self.policies {
            let mut used_up = Vec::new();
            for (measure, kind) in ALLOWANCES {
                let line = self.line(policy, measure);
                let Some((_, first)) = line.first() else {
                    continue;
                };
                some = true;
                if *first >= 1.0 {
                    used_up.push(format!("{kind} at every level from {}", count(line[0].0)));
                } else if let Some(at) = crossing_of(&line, 1.0) {
                    used_up.push(format!("{kind} at about {} requests a month", count(at)));
                }
            }
            if used_up.is_empty() {
                let most = ALLOWANCES.iter().filter_map(|(measure, kind)| {
                    let line = self.line(policy, measure);
                    let (x, y) = line.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
                    Some((kind, x, y))
                });
                if let Some((kind, x, y)) = most.max_by(|a, b| a.2.total_cmp(&b.2)) {
                    lines.push(format!(
                        "{policy}: nowhere; the most is {} of the {kind}, at {} requests a month.",
                        format::percent(y),
                        count(x)
                    ));
                }
            } else {
                lines.push(format!("{policy}: {}.", list(used_up.into_iter())));
            }
        }
        some.then(|| Answer {
            question: format!("Where is the allowance of plan \"{}\" used up?", self.plan),
            lines,
        })
    }

    fn trouble(&self) -> Option<Answer> {
        let mut lines = Vec::new();
        for (measure, what) in TROUBLES {
            for policy in &self.policies {
                let line = self.line(policy, measure);
                let worst = line.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
                if let Some((x, y)) = worst.filter(|(_, y)| *y > 0.0) {
                    lines.push(format!(
                        "{policy}: up to {} {what}, at {} requests a month.",
                        format::percent(y),
                        count(x)
                    ));
                }
            }
        }
        for policy in &self.policies {
            let mut levels = self.levels.iter();
            let unknown = levels.find(|(_, l)| self.standing(l, policy).contains("unknown loss"));
            if let Some((x, _)) = unknown {
                lines.push(format!(
                    "{policy}: how many records are lost is unknown, from {} requests a month.",
                    count(*x)
                ));
            }
        }
        if lines.is_empty() {
            lines.push(
                "Nothing is refused, no record is lost and no call fails, at any level.".into(),
            );
        }
        let policy = self.policies[0];
        TROUBLES
            .iter()
            .any(|(m, _)| !self.line(policy, m).is_empty())
            .then(|| Answer {
                question: "Is anything refused or lost, does anything fail?".into(),
                lines,
            })
    }

    fn cache(&self) -> Option<Answer> {
        let lines: Vec<String> = self
            .policies
            .iter()
            .filter_map(|p| {
                Some(format!(
                    "{p}: hit ratio {}.",
                    self.span(p, "hit_ratio", format::percent)?
                ))
            })
            .collect();
        (!lines.is_empty()).then(|| Answer {
            question: "How often does the cache answer?".into(),
            lines,
        })
    }

    fn queries(&self) -> Option<Answer> {
        let lines: Vec<String> = self
            .policies
            .iter()
            .filter_map(|p| {
                let span = self.span(p, "query_p95_ms", format::milliseconds)?;
                Some(format!("{p}: 95% of the queries within {span}."))
            })
            .collect();
        (!lines.is_empty()).then(|| Answer {
            question: "How long does an analytics query take?".into(),
            lines,
        })
    }

    /// `56 ms at 100k, 50 ms at 10M`: a measure at the ends of the sweep.
    fn span(&self, policy: &str, measure: &str, write: fn(f64) -> String) -> Option<String> {
        let line = self.line(policy, measure);
        let at = |(x, y): &(f64, f64)| format!("{} at {}", write(*y), count(*x));
        match (line.first()?, line.last()?) {
            (first, last) if first == last => Some(at(first)),
            (first, last) => Some(format!("{}, {} requests a month", at(first), at(last))),
        }
    }

    /// Levels down, policies across.
    fn costs(&self) -> Table {
        let mut columns = vec![Column::number("requests a month")];
        columns.extend(self.policies.iter().map(|p| Column::number(p)));
        columns.push(Column::text("costs least"));
        let rows = self.levels.iter().map(|(x, level)| {
            let winners = self.cheapest_at(level);
            let excluded = self.excluded_at(level);
            let mut row = vec![Cell::number(*x, count(*x))];
            for policy in &self.policies {
                let cost = self.get(level, policy, "cost_usd");
                let mut told = format::usd_estimate(cost);
                if let Some((_, why)) = excluded.iter().find(|e| e.0 == *policy) {
                    told.push_str(&format!(", {why}"));
                }
                let mut cell = Cell::number(cost.mean, told);
                cell.strong = winners == [*policy];
                row.push(cell);
            }
            let names = list(winners.iter().map(|w| (*w).to_owned()));
            row.push(Cell::text(match winners.len() {
                0 | 1 => names,
                _ => format!("no difference: {names}"),
            }));
            row
        });
        let rows = rows.collect();
        let title = format!("Cost per month in USD, plan \"{}\"", self.plan);
        Table::new("costs", &title, columns, rows)
    }

    fn key_figures(&self) -> Table {
        type Write = fn(f64) -> String;
        const FIGURES: [(&str, &str, Write); 12] = [
            (
                "operations_per_request",
                "KV operations per request",
                format::count,
            ),
            ("hit_ratio", "hit ratio", format::percent),
            ("batch_records", "records in a batch", format::count),
            ("query_p95_ms", "query p95", format::milliseconds),
            ("error_rate", "calls failed", format::percent),
            (
                "requests_refused_share",
                "requests refused",
                format::percent,
            ),
            (
                "kv_quota_exceeded_share",
                "KV operations refused",
                format::percent,
            ),
            ("loss_rate", "records lost", format::percent),
            ("quota_use_reads", "reads wanted", format::percent),
            ("quota_use_writes", "writes wanted", format::percent),
            ("quota_use_requests", "requests wanted", format::percent),
            ("stored_bytes", "stored bytes", format::count),
        ];
        let has = |name: &str| self.csv.header.iter().any(|h| h == name);
        let figures: Vec<_> = FIGURES.iter().filter(|f| has(f.0)).collect();
        let mut columns = vec![
            Column::number("requests a month"),
            Column::text("policy"),
            Column::number("cost a month"),
        ];
        columns.extend(figures.iter().map(|(_, label, _)| Column::number(label)));
        let rows = self.points().map(|(level, policy)| {
            let cost = self.get(level, policy, "cost_usd");
            let mut row = vec![
                Cell::number(level.parse().unwrap_or(f64::NAN), words(level)),
                Cell::text(policy),
                Cell::number(cost.mean, format::usd_estimate(cost)),
            ];
            row.extend(figures.iter().map(|(name, _, write)| {
                let mean = self.get(level, policy, name).mean;
                if mean.is_nan() && self.is_too_few(level, policy, name) {
                    Cell::text(format::TOO_FEW)
                } else if mean.is_nan() && *name == "loss_rate" {
                    Cell::text("unknown")
                } else if mean.is_nan() {
                    Cell::text("")
                } else {
                    Cell::number(mean, write(mean))
                }
            }));
            row
        });
        let mut table = Table::new("key-figures", "Key figures", columns, rows.collect());
        table.about =
            "Means over the replications; intervals of all of them stand under Tables.".into();
        table
    }
}

fn count(x: f64) -> String {
    format::count(x)
}

/// The level of a cell as `10M`.
fn words(level: &str) -> String {
    level.parse().map_or_else(|_| level.to_owned(), count)
}

/// `a, b and c`.
fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => items.concat(),
    }
}
