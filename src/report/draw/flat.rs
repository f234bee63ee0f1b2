//! A chart that would show nothing: every value is the same, or none is known. It says so in a sentence.

use super::chart::{Chart, Datum, Series};
use super::hover::Hover;
use super::labels::wrapped;
use super::pen::Pen;
use super::style::{GREY, INK};
use crate::report::error::NotDrawn;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// From one line of the text to the next, and an estimate of the width of a character.
const LINE: i32 = 24;
const CHARACTER: i32 = 8;

/// What a chart that shows nothing comes to, a sentence each; `None` if there is something to see.
pub(super) fn sentences(chart: &Chart) -> Option<Vec<String>> {
    let known: Vec<&Datum> = chart.series.iter().flat_map(Series::points).collect();
    let Some(first) = known.first() else {
        return Some(vec![match chart.series.is_empty() {
            true => "Nothing here has such a value.".into(),
            false => format!("No value is known, too few came: {}.", names(chart)),
        }]);
    };
    let is_same = |v: f64| !v.is_finite() || (v - first.y).abs() <= 1e-9 * first.y.abs();
    // One value is a point in a plot, unless it is nothing.
    let is_flat = (known.len() > 1 || first.y == 0.0)
        && known
            .iter()
            .all(|d| is_same(d.y) && is_same(d.low) && is_same(d.high));
    if !is_flat {
        return None;
    }
    let xs = || known.iter().map(|d| d.x);
    let (from, to) = xs().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| {
        (l.min(x), h.max(x))
    });
    let over = match from < to {
        true => format!(
            "from {} to {} ",
            (chart.x.format)(from),
            (chart.x.format)(to)
        ),
        false => format!("at {} ", (chart.x.format)(from)),
    };
    let mut said = vec![format!(
        "Always {} {over}({}): {}.",
        (chart.y.format)(first.y),
        chart.x.label,
        names(chart)
    )];
    let is_told = |m: &&super::chart::Mark| m.vertical && !m.label.is_empty();
    let marks = chart.marks.iter().filter(is_told);
    said.extend(marks.map(|m| format!("{}.", m.label)));
    Some(said)
}

/// What the lines are, with those of which nothing is known, and where one goes on as another.
fn names(chart: &Chart) -> String {
    let some = chart.series.iter().any(|s| !s.points().is_empty());
    let goes_on = |of: &Series, s: &Series| {
        let rest = s.name.strip_prefix(of.name.as_str());
        rest.and_then(|rest| rest.strip_prefix(": "))
            .map(str::to_owned)
    };
    let name = |s: &Series| {
        let said = chart.series.iter().find_map(|o| {
            let first = o.points().first().map(|d| (chart.x.format)(d.x))?;
            Some(format!(" ({} from {first} on)", goes_on(s, o)?))
        });
        match some && s.points().is_empty() {
            true => format!("{} (too few)", s.name),
            false => format!("{}{}", s.name, said.unwrap_or_default()),
        }
    };
    let is_told = |s: &&Series| !chart.series.iter().any(|of| goes_on(of, s).is_some());
    let all: Vec<String> = chart.series.iter().filter(is_told).map(name).collect();
    all.join(", ")
}

/// The lines of its text, in this width.
fn lines(said: &[String], width: i32) -> Vec<String> {
    let most = ((width - 48) / CHARACTER).max(20) as usize;
    said.iter().flat_map(|s| wrapped(s, most)).collect()
}

/// How high the text is.
pub(super) fn height(said: &[String], width: i32) -> i32 {
    LINE * lines(said, width).len() as i32
}

/// Writes the text beneath `top`.
pub(super) fn draw<DB: DrawingBackend>(
    said: &[String],
    chart: &Chart,
    root: &DrawingArea<DB, Shift>,
    (width, top): (i32, i32),
    k: i32,
) -> Result<Hover, NotDrawn> {
    let pen = Pen { root, k };
    pen.text(&chart.y.label, (24, top), 14, GREY, HPos::Left)?;
    for (i, line) in lines(said, width).iter().enumerate() {
        let at = (24, top + LINE * (i as i32 + 1));
        pen.text(line, at, 16, INK, HPos::Left)?;
    }
    Ok(Hover::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::draw::chart::tests::{chart, mark};

    fn flat() -> Chart {
        let mut chart = chart(&["naive", "optimised"]);
        for d in chart.series.iter_mut().flat_map(|s| &mut s.data) {
            (d.y, d.low, d.high) = (5.0, 5.0, f64::NAN);
        }
        chart
    }

    #[test]
    fn what_is_the_same_everywhere_is_a_sentence_with_its_marks() {
        let mut chart = flat();
        chart.x.label = "requests".into();
        chart.marks.push(mark("naive: writes used up at 30"));
        let said = sentences(&chart).unwrap();
        let expected = [
            "Always 5 from 10 to 100 (requests): naive, optimised.",
            "naive: writes used up at 30.",
        ];
        assert_eq!(said, expected);
        chart.series[1].data.clear();
        assert!(sentences(&chart).unwrap()[0].ends_with("naive, optimised (too few)."));
    }

    #[test]
    fn a_line_that_goes_on_as_another_is_named_once() {
        let mut chart = flat();
        chart.series[1].name = "naive: refuses or loses".into();
        chart.series[1].data.remove(0);
        let said = &sentences(&chart).unwrap()[0];
        assert!(
            said.ends_with(": naive (refuses or loses from 100 on)."),
            "{said}"
        );
        chart.series.remove(0);
        let alone = sentences(&chart);
        assert_eq!(alone, None, "one value is drawn");
        chart.series[0].data[0].y = 0.0;
        chart.series[0].data[0].low = 0.0;
        let said = &sentences(&chart).unwrap()[0];
        assert!(said.ends_with(": naive: refuses or loses."), "{said}");
    }

    #[test]
    fn one_value_or_interval_that_differs_is_drawn() {
        for change in [|d: &mut Datum| d.y = 5.01, |d: &mut Datum| d.high = 6.0] {
            let mut chart = flat();
            change(&mut chart.series[1].data[0]);
            assert_eq!(sentences(&chart), None);
        }
    }

    #[test]
    fn what_nobody_knows_is_said() {
        let mut chart = flat();
        chart.series.iter_mut().for_each(|s| s.data.clear());
        assert_eq!(
            sentences(&chart).unwrap(),
            ["No value is known, too few came: naive, optimised."]
        );
        chart.series.clear();
        assert_eq!(
            sentences(&chart).unwrap(),
            ["Nothing here has such a value."]
        );
    }
}
