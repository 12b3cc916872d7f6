// SPDX-License-Identifier: MIT
//! Results for a person: the table, the ratios, the verdicts.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use perf::result::{Results, Row};

/// A time in nanoseconds, in the unit that suits it, with three digits.
pub fn time(ns: Option<f64>) -> String {
    let Some(ns) = ns else { return "-".to_owned() };
    let (value, unit) = match ns {
        ..1e3 => (ns, "ns"),
        1e3..1e6 => (ns / 1e3, "µs"),
        1e6..1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    format!("{} {unit}", digits(value))
}

/// A figure with three digits; a dash for none.
pub fn figure(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), digits)
}

/// A count by which one rate is told from another: 1234567 as `1.23 M`.
pub fn rate(per_s: Option<f64>) -> String {
    match per_s {
        None => "-".to_owned(),
        Some(rate @ 1e6..) => format!("{} M", digits(rate / 1e6)),
        Some(rate @ 1e3..) => format!("{} k", digits(rate / 1e3)),
        Some(rate) => digits(rate),
    }
}

fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..0.001 => "<0.001".to_owned(),
        ..1.0 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// The head of a table of rows; files have two columns more.
pub fn head(of_files: bool) -> Vec<&'static str> {
    let mut head = if of_files {
        vec!["fs", "op", "feeder"]
    } else {
        vec!["mechanism"]
    };
    head.extend([
        "strategy",
        "placement",
        "p50",
        "p99",
        "p99.9",
        "ops/s",
        "CPU/op",
        "switches/op",
        "futex calls/op",
    ]);
    head
}

/// One row under that head.
pub fn cells(row: &Row, of_files: bool) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let ns = |ns: Option<u64>| time(ns.map(|ns| ns as f64));
    let mut cells = if of_files {
        vec![text(&row.fs), text(&row.op)]
    } else {
        Vec::new()
    };
    cells.extend([row.mechanism.clone(), text(&row.strategy), text(&row.placement)]);
    cells.extend([
        ns(row.p50_ns),
        ns(row.p99_ns),
        ns(row.p999_ns),
        rate(row.ops_per_s),
        time(row.cpu_ns_per_op),
    ]);
    cells.extend([figure(row.switches_per_op), figure(row.futex_calls_per_op)]);
    cells
}

/// Whether these are results on files.
pub fn is_of_files(results: &Results) -> bool {
    results.rows.iter().any(|row| row.op.is_some())
}

/// All of it, as text.
pub fn render(results: &Results) -> String {
    let of_files = is_of_files(results);
    let mut text = format!("{}\n", results.machine.headline());
    let mut table = plain(head(of_files));
    results
        .rows
        .iter()
        .for_each(|row| _ = table.add_row(cells(row, of_files)));
    let labels = if of_files { 5 } else { 3 };
    for column in table.column_iter_mut().skip(labels) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{table}");
    if !results.ratios.is_empty() {
        let mut table = plain(vec!["ratio", "to", "p50", "95 % of it", "p99", "rounds"]);
        for ratio in &results.ratios {
            let range = ratio.p50_low.zip(ratio.p50_high);
            table.add_row(vec![
                ratio.of.clone(),
                ratio.to.clone(),
                figure(ratio.p50),
                range.map_or("-".to_owned(), |(low, high)| {
                    format!("{} to {}", digits(low), digits(high))
                }),
                figure(ratio.p99),
                ratio.rounds.to_string(),
            ]);
        }
        let _ = writeln!(text, "\n{table}");
    }
    if !results.targets.is_empty() {
        text.push('\n');
        results
            .targets
            .iter()
            .for_each(|target| _ = writeln!(text, "{}", target.line()));
    }
    let notes = results
        .notes
        .iter()
        .cloned()
        .chain(results.quick.then(|| QUICK.to_owned()));
    notes.for_each(|note| _ = writeln!(text, "note: {note}"));
    text
}

/// What is said under a quick run.
pub const QUICK: &str = "a quick run: figures for orientation, verdicts need the full one";

fn plain(head: Vec<&str>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head);
    table
}
