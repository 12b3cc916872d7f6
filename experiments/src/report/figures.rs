// SPDX-License-Identifier: MIT
//! Which plots a result deserves: one pair for each situation, so that a plot compares what one
//! would choose between. A strategy has one colour throughout; what is not the relay, or a feeder
//! that is not shared memory, is dashed.

use perf::histogram::Histogram;
use perf::result::{Results, Row};

use super::plot::{Look, Series, curves, dots};

/// One situation, drawn.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// A name for its files.
    pub slug: String,
    /// Whole distributions.
    pub curves: String,
    /// Medians and tails.
    pub dots: String,
    /// Names and looks of what is in it.
    pub legend: Vec<(String, Look)>,
}

/// All figures of a result.
pub fn figures(results: &Results) -> Vec<Figure> {
    let mut situations: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in results.rows.iter().filter(|row| row.placement.is_some()) {
        let situation = situation(row);
        match situations.iter_mut().find(|(known, _)| *known == situation) {
            Some((_, rows)) => rows.push(row),
            None => situations.push((situation, vec![row])),
        }
    }
    situations
        .into_iter()
        .filter_map(|(title, rows)| figure(results, title, &rows))
        .collect()
}

fn figure(results: &Results, title: String, rows: &[&Row]) -> Option<Figure> {
    let series: Vec<Series> = rows.iter().filter_map(|row| series(row)).collect();
    let slug: String = format!("{} {title}", results.experiment)
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    Some(Figure {
        curves: curves("time not exceeded by so many operations", &series)?,
        dots: dots("median ●, 99th percentile |, 99.9th: end of the line", &series)?,
        legend: series.into_iter().map(|one| (one.name, one.look)).collect(),
        slug: slug
            .split('-')
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-"),
        title,
    })
}

/// What the rows of one plot have in common.
fn situation(row: &Row) -> String {
    let placement = match row.placement.as_deref() {
        Some("same") => "both sides on one CPU",
        Some("cross") => "on two CPUs",
        Some("same+hog") => "both sides on one CPU that a third task wants",
        Some(other) => other,
        None => "",
    };
    match (&row.fs, &row.op) {
        (Some(fs), Some(op)) => format!("4 KiB {op} on {fs}, {placement}"),
        _ => format!("hand-off, {placement}"),
    }
}

fn series(row: &Row) -> Option<Series> {
    Some(Series {
        name: match &row.strategy {
            Some(strategy) => format!("{} {strategy}", row.mechanism),
            None => row.mechanism.clone(),
        },
        look: look(row),
        curve: row.histogram.as_deref().and_then(Histogram::decode)?.curve(),
        marks: [row.p50_ns?, row.p99_ns?, row.p999_ns?],
    })
}

fn look(row: &Row) -> Look {
    let colour = match row.strategy.as_deref().unwrap_or(&row.mechanism) {
        "waitqueue" => "#e69f00",
        "park" => "#0072b2",
        "yield" | "bare-yield" => "#009e73",
        "spin" | "bare-spin" => "#d55e00",
        "hybrid" => "#7b3294",
        "futex" => "#222222",
        "eventfd" => "#777777",
        _ => "#aaaaaa",
    };
    Look {
        colour,
        is_dashed: row.strategy.is_none() || row.mechanism == "fuse",
    }
}
