// SPDX-License-Identifier: MIT
//! Plots as SVG text: percentile curves on the axis that HdrHistogram made usual, where each step to
//! the right is one more nine, and rows as dots from median to tail. Times are logarithmic.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::table::time;

/// How a thing is drawn, in every plot alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// `#rrggbb`.
    pub colour: &'static str,
    /// Dashed: what is not the relay, or not through shared memory.
    pub is_dashed: bool,
}

/// One curve or dot row.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// (share of all, nanoseconds), ascending.
    pub curve: Vec<(f64, u64)>,
    /// Median, 99th and 99.9th percentile, nanoseconds.
    pub marks: [u64; 3],
}

const WIDTH: u32 = 640;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

/// Percentile curves; `None` if there is nothing to draw.
pub fn curves(title: &str, series: &[Series]) -> Option<String> {
    let points = || series.iter().flat_map(|series| series.curve.iter());
    let nines = points()
        .map(|&(share, _)| nines_of(share))
        .fold(0.0, f64::max)
        .ceil()
        .max(2.0);
    let times = range(points().map(|&(_, ns)| ns))?;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, 360)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption(title, (FONT, 15).into_font().color(&INK))
            .margin(8)
            .margin_right(28)
            .x_label_area_size(34)
            .y_label_area_size(62)
            .build_cartesian_2d(0.0..nines, (times.0..times.1).log_scale())
            .ok()?;
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .x_labels(nines as usize + 1)
            .x_label_formatter(&|nines| percentile(*nines))
            .y_label_formatter(&|ns| time(Some(*ns)))
            .label_style((FONT, 12).into_font().color(&INK))
            .x_desc("percentile")
            .draw()
            .ok()?;
        for one in series {
            let points = one
                .curve
                .iter()
                .map(|&(share, ns)| (nines_of(share), (ns as f64).max(1.0)));
            let style = colour(&one.look).stroke_width(2);
            if one.look.is_dashed {
                chart
                    .draw_series(DashedLineSeries::new(points, 6, 4, style))
                    .ok()?;
            } else {
                chart.draw_series(LineSeries::new(points, style)).ok()?;
            }
        }
        area.present().ok()?;
    }
    Some(svg)
}

/// A row for each: a dot at the median, a line to the 99.9th percentile with a tick at the 99th;
/// `None` if there is nothing to draw.
pub fn dots(title: &str, series: &[Series]) -> Option<String> {
    let times = range(series.iter().flat_map(|series| series.marks))?;
    let rows = series.len();
    let mut svg = String::new();
    {
        let height = 74 + 20 * rows as u32;
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption(title, (FONT, 15).into_font().color(&INK))
            .margin(8)
            .x_label_area_size(26)
            .y_label_area_size(150)
            .build_cartesian_2d((times.0..times.1).log_scale(), rows as f64..0.0)
            .ok()?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .x_label_formatter(&|ns| time(Some(*ns)))
            .label_style((FONT, 12).into_font().color(&INK))
            .draw()
            .ok()?;
        for (row, one) in series.iter().enumerate() {
            dot_row(&mut chart, row as f64 + 0.5, one, times.0)?;
        }
        area.present().ok()?;
    }
    Some(svg)
}

type DotChart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<LogCoord<f64>, RangedCoordf64>>;

fn dot_row(chart: &mut DotChart<'_, '_>, y: f64, one: &Series, left: f64) -> Option<()> {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let [p50, p99, p999] = one.marks.map(|ns| (ns as f64).max(1.0));
    let colour = colour(&one.look);
    let line = colour.stroke_width(2);
    chart
        .draw_series([PathElement::new([(p50, y), (p999, y)], line)])
        .ok()?;
    chart
        .draw_series([PathElement::new([(p99, y - 0.22), (p99, y + 0.22)], line)])
        .ok()?;
    let dot = if one.look.is_dashed { line } else { colour.filled() };
    chart.draw_series([Circle::new((p50, y), 5, dot)]).ok()?;
    let style = (FONT, 12)
        .into_font()
        .color(&INK)
        .pos(Pos::new(HPos::Right, VPos::Center));
    let name = EmptyElement::at((left, y)) + Text::new(one.name.clone(), (-8, 0), style);
    chart.draw_series([name]).ok()?;
    Some(())
}

/// How many nines: 0.99 has two. The axis of the curves.
fn nines_of(share: f64) -> f64 {
    -(1.0 - share).max(1e-9).log10()
}

/// The percentile with so many nines.
fn percentile(nines: f64) -> String {
    match nines.round() as i32 {
        ..=0 => "0".to_owned(),
        1 => "90".to_owned(),
        2 => "99".to_owned(),
        n => format!("99.{}", "9".repeat(n as usize - 2)),
    }
}

/// A range of times that holds all of these, with some air.
fn range(times: impl Iterator<Item = u64>) -> Option<(f64, f64)> {
    let (low, high) = times.fold((u64::MAX, 0), |(low, high), ns| {
        (low.min(ns.max(1)), high.max(ns))
    });
    (high > 0).then_some((low as f64 * 0.8, high as f64 * 1.3))
}

fn colour(look: &Look) -> RGBColor {
    let part = |at: usize| u8::from_str_radix(look.colour.get(at..at + 2).unwrap_or("0"), 16).unwrap_or(0);
    RGBColor(part(1), part(3), part(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, is_dashed: bool) -> Series {
        Series {
            name: name.to_owned(),
            look: Look {
                colour: "#0072b2",
                is_dashed,
            },
            curve: vec![(0.0, 100), (0.5, 200), (0.9, 300), (0.99, 5_000), (0.999, 70_000)],
            marks: [200, 5_000, 70_000],
        }
    }

    #[test]
    fn both_plots_are_drawn_with_their_names() {
        let all = [series("park <same>", false), series("pipe", true)];
        let curves = curves("on one CPU", &all).unwrap();
        assert!(curves.starts_with("<svg") && curves.contains("on one CPU") && curves.contains("99.9"));
        let dots = dots("medians", &all).unwrap();
        assert!(dots.contains("park &lt;same&gt;") && dots.contains("pipe"));
        assert!(dots.contains("<circle"));
    }

    #[test]
    fn nothing_measured_is_nothing_drawn() {
        assert_eq!(curves("none", &[]), None);
        assert_eq!(dots("none", &[]), None);
    }

    #[test]
    fn percentiles_by_their_nines() {
        let names: Vec<_> = [0.0, 1.0, 2.0, 3.0, 4.0].map(percentile).into();
        assert_eq!(names, ["0", "90", "99", "99.9", "99.99"]);
        assert!((nines_of(0.999) - 3.0).abs() < 1e-9);
    }
}
