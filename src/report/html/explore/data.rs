//! What the page's script moves through, as JSON: the settings with their values, and the measures of every point.

use crate::report::explored::{Commands, SHOWN};
use crate::report::settings::is_requests;
use crate::report::shell;
use crate::run::metric;
use crate::study::explore::points::{Explored, Result};
use crate::study::stats::t_quantile;
use crate::study::sweep::Cell;
use serde_json::{Value, json};

/// Most replications, over all points, that a page carries one by one, so that it can be mailed. With more than that it
/// compares by intervals.
const MOST_CARRIED: usize = 25_000;

/// Whether differences between points are paired on the page.
pub fn is_paired(explored: &Explored, replications: u32) -> bool {
    let all = explored.simulated().count() * replications as usize;
    replications > 1 && all <= MOST_CARRIED
}

/// The JSON, fit to stand in a `script` of a page.
pub fn json(explored: &Explored, commands: &Commands, replications: u32, start: usize) -> String {
    let paired = is_paired(explored, replications);
    let settings = explored.grid.settings.iter().map(|s| {
        let values = s.values.iter();
        let words = s.values.iter().map(|v| shell::command(&v.option));
        json!({
            "name": s.name,
            "values": values.map(|v| v.text.as_str()).collect::<Vec<_>>(),
            "words": words.collect::<Vec<_>>(),
            "requests": is_requests(&s.name),
        })
    });
    let measures = SHOWN.map(
        |m| json!({"name": m.name, "label": m.label, "unit": m.unit.name(), "said": m.is_said}),
    );
    let asked = explored.grid.points.iter().zip(&explored.results);
    let points = asked.map(|(asked, result)| match (asked, result) {
        (Ok(asked), Some(result)) => point(result, paired, commands.is_bare(asked)),
        _ => Value::Null,
    });
    let data = json!({
        "settings": settings.collect::<Vec<_>>(),
        "measures": measures,
        "head": commands.head,
        "bare": commands.bare,
        "replications": replications,
        "t": paired.then(|| short(t_quantile(replications as usize - 1), 7)),
        "start": explored.grid.places(start),
        "points": points.collect::<Vec<_>>(),
    });
    // Nothing in it ends the script, or begins a comment.
    data.to_string().replace('<', "\\u003c")
}

/// A point: its measures, whether its bill is for the whole work, the lines of its invoice, and whether its command is
/// without `period.requests`.
fn point(result: &Result, paired: bool, is_bare: bool) -> Value {
    let values = SHOWN.map(|m| value(&result.cell, m.name, paired));
    let lines = result.cell.pooled.invoice.lines.iter();
    let lines = lines.filter(|l| l.used > 0 || l.item.is_none());
    let invoice = lines.map(|l| {
        let name = l.item.map_or("plan fee", |i| i.name());
        json!([
            name,
            short(l.used as f64, 4),
            short(l.included as f64, 4),
            l.amount.to_string()
        ])
    });
    json!({
        "v": values,
        "part": u8::from(result.standing.excluded().is_some()),
        "bill": invoice.collect::<Vec<_>>(),
        "bare": u8::from(is_bare),
    })
}

/// A measure: mean, half-width, what replications cannot tell apart (whole, then within bins), and by how much each
/// replication's part of the estimate is more than the mean, 0 if they are all alike. Null where it is not known.
fn value(cell: &Cell, name: &str, paired: bool) -> Value {
    let e = cell.estimate(name);
    if !e.mean.is_finite() || cell.is_too_few(name) {
        return Value::Null;
    }
    let column = cell.pooled.column(metric::position(name));
    let mut known = vec![short(e.mean, 7), short(e.half_width, 4)];
    if paired {
        let more = column.contributions.iter().map(|c| c - e.mean);
        let more: Vec<Value> = more.map(|d| short(d, 4)).collect();
        let is_same = more.iter().all(|d| *d == json!(0));
        known.extend([
            short(column.resolution.whole, 4),
            short(column.resolution.bin, 4),
        ]);
        known.push(if is_same { json!(0) } else { json!(more) });
    }
    json!(known)
}

/// A number with so many digits, as short as it can be written; null if it is none.
fn short(x: f64, digits: usize) -> Value {
    if !x.is_finite() {
        return Value::Null;
    }
    let rounded: f64 = format!("{x:.*e}", digits - 1).parse().unwrap_or(x);
    // What rounding leaves of a difference is nothing.
    if rounded.abs() < 1e-12 {
        return json!(0);
    }
    match rounded.fract() == 0.0 && rounded.abs() < 1e15 {
        true => json!(rounded as i64),
        false => json!(rounded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_short() {
        let written = |x: f64| short(x, 4).to_string();
        assert_eq!(written(5.0), "5");
        assert_eq!(written(1.234_567), "1.235");
        assert_eq!(written(123_456.0), "123500");
        assert_eq!(written(-2e-16), "0");
        assert_eq!(written(f64::NAN), "null");
    }
}
