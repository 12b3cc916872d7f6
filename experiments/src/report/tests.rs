// SPDX-License-Identifier: MIT
//! Reports over results that are made up.

use perf::histogram::Histogram;
use perf::result::{Ratio, Row, Target};

use super::*;

fn row(mechanism: &str, strategy: Option<&str>, placement: &str, ns: u64) -> Row {
    let mut histogram = Histogram::new();
    (0..2_000).for_each(|i| histogram.record(ns + i));
    let summary = histogram.summary().unwrap();
    Row {
        mechanism: mechanism.to_owned(),
        strategy: strategy.map(str::to_owned),
        placement: Some(placement.to_owned()),
        n: summary.n,
        p50_ns: Some(summary.p50_ns),
        p99_ns: Some(summary.p99_ns),
        p999_ns: Some(summary.p999_ns),
        histogram: Some(histogram.encode()),
        ..Row::default()
    }
}

fn handoff() -> Results {
    let rows = vec![
        row("pipe", None, "same", 5_000),
        row("relay", Some("park"), "same", 4_000),
        row("relay", Some("hybrid"), "same", 4_100),
        row("relay", Some("park"), "cross", 40_000),
        row("relay", Some("hybrid"), "cross", 200),
    ];
    let ratio = Ratio {
        of: "relay hybrid same".into(),
        to: "relay park same".into(),
        p50: Some(1.02),
        p99: None,
        rounds: 9,
        p50_low: Some(0.99),
        p50_high: Some(1.04),
        p99_low: None,
        p99_high: None,
        p50_net: None,
    };
    let targets = vec![Target::at_most("R3", "hybrid to park <same>", Some(1.02), 1.05)];
    Results {
        rows,
        ratios: vec![ratio],
        targets,
        ..Results::begin("handoff", false)
    }
}

#[test]
fn a_page_has_figures_tables_verdicts_and_advice() {
    let dir = tempfile::tempdir().unwrap();
    handoff().write(&dir.path().join("handoff.json")).unwrap();
    fs::write(dir.path().join("other.json"), "{}").unwrap();
    let written = write(dir.path()).unwrap();
    let html = fs::read_to_string(&written.html).unwrap();
    assert_eq!(html.matches("<svg").count(), 4, "two placements, two plots each");
    for text in [
        "relay=hybrid",
        "hybrid to park &lt;same&gt;",
        "class=\"met\"",
        "5.00 µs",
        "1.02",
        "0.990 to 1.04",
    ] {
        assert!(html.contains(text), "{text}");
    }
    // It loads nothing from anywhere.
    assert!(!html.contains("src=") && !html.contains("<link") && !html.contains("<script"));
    let markdown = fs::read_to_string(&written.markdown).unwrap();
    let linked = markdown
        .lines()
        .filter_map(|line| line.strip_prefix("![")?.split_once("](")?.1.strip_suffix(')'));
    let linked: Vec<_> = linked.map(|path| dir.path().join(path)).collect();
    assert_eq!(linked.len(), 4);
    assert!(linked.iter().all(|path| path.is_file()), "{linked:?}");
}

#[test]
fn a_folder_without_results_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let error = write(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("no results in") && error.contains("experiments run"),
        "{error}"
    );
    let missing = write(&dir.path().join("missing")).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read"), "{missing}");
}
