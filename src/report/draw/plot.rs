//! Line charts, drawn alike as SVG and PNG, with text from a font inside the binary: in one plot, or in panels where
//! there are more lines than colours.

use super::chart::{Chart, Scale, Series};
use super::cover::{self, Covered, RIMS};
use super::drawing::{self, Drawing, Picture};
use super::hover::Hover;
use super::lines::MOST_MARKED;
use super::look::{Form, Look, Sheet};
use super::{flat, multiples, single};
use crate::report::error::{NotDrawn, WriteError};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

/// As many lines of different colour as can be told apart in one plot.
const MOST_COLOURS: usize = 6;

/// A chart with one of its scales.
struct Scaled {
    chart: Chart,
    /// What it comes to, where there is nothing to see.
    said: Option<Vec<String>>,
    /// Which lines lie on others.
    covered: Vec<Covered>,
    /// Whether there is another scale to choose.
    has_scales: bool,
}

impl Scaled {
    fn new(chart: Chart, has_scales: bool) -> Self {
        let said = flat::sentences(&chart);
        let is_one_plot = chart.is_one_plot();
        let together = |a: &Series, b: &Series| is_one_plot || a.colour == b.colour;
        let covered = cover::covered(&chart, together);
        let mut chart = chart;
        if said.is_none() && covered.iter().flatten().any(|n| *n > 0) {
            chart.note = format!("{} {RIMS}", chart.note);
        }
        Scaled {
            chart,
            said,
            covered,
            has_scales,
        }
    }
}

impl Drawing for Scaled {
    fn size(&self, form: Form) -> (u32, u32) {
        let sheet = Sheet::of(form);
        if let Some(said) = &self.said {
            let width = sheet.size().0;
            let frame = if sheet.is_narrow() { 40 } else { SAID };
            return (width as u32, (frame + flat::height(said, width)) as u32);
        }
        if !self.chart.is_one_plot() {
            return multiples::size(&self.chart, sheet);
        }
        match form {
            Form::Phone => single::narrow_size(&self.chart),
            Form::Print | Form::Slides => {
                let (width, height) = sheet.size();
                (width as u32, height as u32)
            }
        }
    }

    fn heading(&self) -> [&str; 3] {
        [&self.chart.title, &self.chart.subtitle, &self.chart.note]
    }

    fn draw_on<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        sheet: Sheet,
        k: i32,
    ) -> Result<Hover, NotDrawn> {
        if let Some(said) = &self.said {
            let head = if sheet.is_narrow() { 8 } else { 92 };
            let at = (sheet.size().0, head + sheet.above);
            return flat::draw(said, &self.chart, root, at, k);
        }
        if self.chart.is_one_plot() {
            single::draw(&self.chart, &self.covered, root, sheet, k)
        } else {
            multiples::draw(&self.chart, &self.covered, root, sheet, k)
        }
    }

    fn scale(&self) -> &'static str {
        match self.chart.y.scale.is_log() {
            _ if !self.has_scales => "",
            true => "log",
            false => "linear",
        }
    }

    fn other_scale(&self) -> Option<Self> {
        if !self.has_scales || self.said.is_some() {
            return None;
        }
        let mut linear = self.chart.clone();
        linear.y.scale = Scale::Linear;
        linear.y.min = Some(0.0);
        Some(Scaled {
            covered: cover::covered(&linear, |a, b| linear.is_one_plot() || a.colour == b.colour),
            chart: linear,
            said: None,
            has_scales: true,
        })
    }
}

/// Height of a picture that holds sentences alone, without these.
const SAID: i32 = 150;

impl Picture for Chart {
    fn draw(&self, look: Look, path: &Path) -> Result<(), WriteError> {
        // What was drawn evenly spaced may be zero, or is a share: its logarithm would not help.
        let scaled = Scaled::new(self.clone(), self.y.scale.is_log());
        drawing::draw(&scaled, look, path)
    }
}

impl Chart {
    /// Whether its lines can be told apart in one plot; else each family has a panel of its own.
    fn is_one_plot(&self) -> bool {
        let families = self.families();
        let is_crowded = |s: &&Series| s.points().len() > MOST_MARKED;
        // Bands of many points that go up and down cover each other.
        let is_tangle = families.len() > 1
            && families
                .iter()
                .any(|(_, lines)| lines.iter().filter(|s| is_crowded(s)).count() > 1);
        let is_apart = families.len() <= MOST_COLOURS && !is_tangle;
        is_apart || self.series.iter().any(|s| s.scatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::draw::chart::Mark;
    use crate::report::draw::chart::tests::chart;

    /// The texts of the form that a chart's SVG shows, and where they stand.
    fn texts(chart: &Chart) -> Vec<(i32, i32, String)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chart.svg");
        chart.draw(Look::default(), &path).unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        let svg = roxmltree::Document::parse(&svg).unwrap();
        let is_form = |n: roxmltree::Node| n.attribute("class") == Some("form");
        let is_seen = |n: &roxmltree::Node| n.has_tag_name("text") && !n.ancestors().any(is_form);
        let texts = svg.descendants().filter(is_seen);
        let number = |n: roxmltree::Node, name| n.attribute(name).unwrap().parse().unwrap();
        texts
            .map(|n| {
                let text = n.text().unwrap_or_default().trim().to_owned();
                (number(n, "x"), number(n, "y"), text)
            })
            .collect()
    }

    /// Lines that end in one place are named apart, in the order of their ends; one without a point says so.
    #[test]
    fn every_line_is_named_once_and_no_name_covers_another() {
        let names = ["naive", "optimised", "lazy", "eager", "tiered"];
        let mut chart = chart(&names);
        chart.series[3].data.clear();
        chart.series[1].data[1].y = 500.0;
        let texts = texts(&chart);
        let of = |name: &str| {
            let found: Vec<_> = texts.iter().filter(|t| t.2 == name).collect();
            assert_eq!(found.len(), 1, "{name}");
            found[0].1
        };
        let mut heights = ["optimised", "naive", "lazy", "tiered", "eager: too few"].map(of);
        assert!(heights.is_sorted(), "{heights:?}");
        heights.sort();
        assert!(heights.windows(2).all(|y| y[1] - y[0] >= 20), "{heights:?}");
    }

    /// Seven lines cannot be told apart by colour: each has a panel with its name, its own mark among the words of
    /// its head, and all have one pair of axes.
    #[test]
    fn more_lines_than_colours_have_a_panel_each() {
        let names = ["a1", "b2", "c3", "d4", "e5", "f6", "g7"];
        let mut chart = chart(&names);
        chart.marks.push(Mark {
            at: 30.0,
            label: "c3: reads used up at 30".into(),
            vertical: true,
            colour: Some(2),
        });
        let texts = texts(&chart);
        let at = |name: &str| {
            let found: Vec<_> = texts.iter().filter(|t| t.2 == name).collect();
            assert_eq!(found.len(), 1, "{name}");
            (found[0].0, found[0].1)
        };
        let places = names.map(at);
        assert!(
            places[..4]
                .windows(2)
                .all(|p| p[0].0 < p[1].0 && p[0].1 == p[1].1)
        );
        assert!(places[4].1 > places[0].1 && places[4].0 == places[0].0);
        let told = at("reads used up at 30");
        assert!(told.0 == places[2].0 && (places[2].1..places[2].1 + 40).contains(&told.1));
        let of_axis = |label: &str| texts.iter().filter(|t| t.2 == label).count();
        assert_eq!((of_axis("10"), of_axis("100")), (4 + 2, 4 + 2), "{texts:?}");
    }

    /// An SVG holds both scales where values are spaced by the logarithm, and all of it narrow for a phone.
    #[test]
    fn an_svg_holds_the_forms_of_its_chart() {
        let forms = |chart: &Chart| -> Vec<String> {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("chart.svg");
            chart.draw(Look::default(), &path).unwrap();
            let svg = std::fs::read_to_string(path).unwrap();
            let svg = roxmltree::Document::parse(&svg).unwrap();
            let all = svg.root_element().children();
            let forms = all.filter(|n| n.attribute("class") == Some("form"));
            let told = |n: roxmltree::Node| {
                let scale = n.attribute("data-scale").unwrap_or("");
                format!("{} {scale}", n.attribute("data-size").unwrap())
            };
            forms.map(told).collect()
        };
        let mut chart = chart(&["naive", "optimised"]);
        assert_eq!(
            forms(&chart),
            ["1200 720 linear", "420 400 linear", "420 400 log"]
        );
        chart.y.scale = Scale::Linear;
        assert_eq!(forms(&chart), ["420 400 "]);
    }
}
