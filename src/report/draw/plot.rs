//! Line charts, drawn alike as SVG and PNG, with text from a font inside the binary: in one plot, or in panels where
//! there are more lines than colours.

use super::chart::{Chart, Scale};
use super::drawing::{self, Drawing};
use super::hover::Hover;
use super::style::SIZE;
use super::{multiples, single};
use crate::report::error::{NotDrawn, WriteError};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

/// As many lines of different colour as can be told apart in one plot.
const MOST_COLOURS: usize = 6;

/// A chart in one of its forms.
struct Form {
    chart: Chart,
    is_narrow: bool,
    /// Whether there is another scale to choose.
    has_scales: bool,
}

impl Drawing for Form {
    fn size(&self) -> (u32, u32) {
        match (self.chart.is_one_plot(), self.is_narrow) {
            (true, false) => SIZE,
            (true, true) => single::narrow_size(&self.chart),
            (false, is_narrow) => multiples::size(&self.chart, is_narrow),
        }
    }

    fn heading(&self) -> [&str; 3] {
        [&self.chart.title, &self.chart.subtitle, &self.chart.note]
    }

    fn draw_on<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        k: i32,
    ) -> Result<Hover, NotDrawn> {
        if self.chart.is_one_plot() {
            single::draw(&self.chart, root, self.is_narrow, k)
        } else {
            multiples::draw(&self.chart, root, self.is_narrow, k)
        }
    }

    fn scale(&self) -> &'static str {
        match self.chart.y.scale {
            _ if !self.has_scales => "",
            Scale::Log => "log",
            Scale::Linear => "linear",
        }
    }

    fn is_narrow(&self) -> bool {
        self.is_narrow
    }

    /// The other scale, where both make sense, and each narrow for a phone.
    fn other_forms(&self) -> Vec<Self> {
        let form = |chart: &Chart, is_narrow| Form {
            chart: chart.clone(),
            is_narrow,
            has_scales: self.has_scales,
        };
        let mut all = Vec::new();
        if self.has_scales {
            let mut linear = self.chart.clone();
            linear.y.scale = Scale::Linear;
            linear.y.min = Some(0.0);
            all.extend([form(&linear, false), form(&linear, true)]);
        }
        all.push(form(&self.chart, true));
        all
    }
}

impl Chart {
    /// Draws the chart into a file: SVG or PNG, by the path's extension.
    ///
    /// # Errors
    /// A message that names the file.
    pub fn draw(&self, path: &Path) -> Result<(), WriteError> {
        let form = Form {
            chart: self.clone(),
            is_narrow: false,
            // What was drawn evenly spaced may be zero, or is a share: its logarithm would not help.
            has_scales: self.y.scale == Scale::Log,
        };
        drawing::draw(&form, path)
    }

    /// Whether the colours tell all lines apart; else each family has a panel of its own.
    fn is_one_plot(&self) -> bool {
        let most = self.families().len();
        most <= MOST_COLOURS || self.series.iter().any(|s| s.scatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::draw::chart::{Axis, Datum, Mark, Scale, Series};

    /// A chart of lines from (10, 10) to (100, 100), all in one place.
    fn chart(names: &[&str]) -> Chart {
        let axis = || Axis {
            label: String::new(),
            scale: Scale::Log,
            format: |v| format!("{v}"),
            min: None,
            max: None,
        };
        let datum = |v: f64| Datum {
            x: v,
            y: v,
            low: v,
            high: v,
        };
        let lines = names.iter().enumerate().map(|(i, name)| Series {
            name: (*name).to_owned(),
            data: vec![datum(10.0), datum(100.0)],
            colour: i,
            dash: 0,
            scatter: false,
        });
        Chart {
            title: String::new(),
            subtitle: String::new(),
            x: axis(),
            y: axis(),
            series: lines.collect(),
            marks: Vec::new(),
            note: String::new(),
        }
    }

    /// The texts of the form that a chart's SVG shows, and where they stand.
    fn texts(chart: &Chart) -> Vec<(i32, i32, String)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chart.svg");
        chart.draw(&path).unwrap();
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
            chart.draw(&path).unwrap();
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
