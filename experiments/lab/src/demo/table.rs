// SPDX-License-Identifier: MIT
//! The results as one table.

use comfy_table::{CellAlignment, Table, presets};
use perf::result::{Results, Row};

const HEADS: [&str; 11] = [
    "feeder",
    "fs",
    "op",
    "strategy",
    "placement",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "op/s",
    "CPU µs/op",
    "switches/op",
];

/// All rows, in the experiment's order; a dash is what could not be counted.
pub fn of(results: &Results) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(HEADS);
    for row in &results.rows {
        table.add_row(cells(row));
    }
    for column in table.column_iter_mut().skip(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn cells(row: &Row) -> [String; 11] {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(dash);
    let time = |ns: Option<u64>| micros(ns.map(|ns| ns as f64));
    [
        row.mechanism.clone(),
        text(&row.fs),
        text(&row.op),
        text(&row.strategy),
        text(&row.placement),
        time(row.p50_ns),
        time(row.p99_ns),
        time(row.p999_ns),
        row.ops_per_s.map_or_else(dash, |rate| format!("{rate:.0}")),
        micros(row.cpu_ns_per_op),
        row.switches_per_op
            .map_or_else(dash, |count| format!("{count:.2}")),
    ]
}

/// Nanoseconds as microseconds.
pub fn micros(ns: Option<f64>) -> String {
    ns.map_or_else(dash, |ns| format!("{:.2}", ns / 1000.0))
}

fn dash() -> String {
    "-".into()
}
