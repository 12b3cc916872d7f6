// SPDX-License-Identifier: MIT
//! The form of the JSON, as others rely on it.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::counters::Counts;
use crate::histogram::Histogram;
use crate::pace::Paced;
use crate::sample::Sample;
use crate::usage::Usage;

/// A round of four operations of these times, with no counters to be had on the answering side.
fn sample(times: [u64; 4], answerer: Usage) -> Sample {
    let mut histogram = Histogram::new();
    times.iter().for_each(|&ns| histogram.record(ns));
    Sample {
        paced: Paced {
            histogram,
            elapsed: Duration::from_micros(2),
        },
        caller: Usage {
            cpu_ns: Some(800),
            voluntary: Some(4),
            involuntary: Some(0),
        },
        answerer,
        calls: answerer.cpu_ns.map(|_| 8),
        counts: None,
    }
}

fn known() -> Usage {
    Usage {
        cpu_ns: Some(400),
        voluntary: Some(2),
        involuntary: Some(2),
    }
}

fn example() -> Results {
    let park = [
        sample([100, 200, 300, 400], known()),
        sample([100, 200, 300, 400], known()),
    ];
    let pipe = [
        sample([200, 400, 600, 800], known()),
        sample([100, 200, 300, 400], known()),
    ];
    let row = Row {
        mechanism: "relay".into(),
        strategy: Some("park".into()),
        placement: Some("same".into()),
        ..Row::of_samples(&park)
    };
    let bare = Row {
        mechanism: "pipe".into(),
        ..Row::of_samples(&[sample([1; 4], Usage::default())])
    };
    let ratio = Ratio::between((&row.name(), &park), ("pipe", &pipe), Some(10.0));
    Results {
        rows: vec![row, bare],
        ratios: vec![ratio],
        machine: Machine::default(),
        ..Results::begin("handoff", true)
    }
}

#[test]
fn a_row_adds_its_rounds_up() {
    let results = example();
    let mut row = serde_json::to_value(&results.rows[0]).unwrap();
    assert!(row["histogram"].take().is_string());
    let want = json!({
        "mechanism": "relay", "strategy": "park", "placement": "same", "n": 8,
        "min_ns": 100, "p50_ns": 200, "p90_ns": 400, "p99_ns": 400, "p999_ns": 400, "p9999_ns": 400,
        "max_ns": 400, "mean_ns": 250.0, "ops_per_s": 2_000_000.0,
        "cpu_ns_per_op": 300.0, "switches_per_op": 2.0, "futex_calls_per_op": 2.0,
        "caller_voluntary_per_op": 1.0, "answerer_voluntary_per_op": 0.5,
        "migrations_per_op": null, "cycles_per_op": null, "instructions_per_op": null,
        "p50_ns_by_round": [200, 200], "histogram": null,
    });
    assert_eq!(row, want);
}

#[test]
fn what_could_not_be_had_is_null_and_never_zero() {
    let row = serde_json::to_value(&example().rows[1]).unwrap();
    for field in [
        "strategy",
        "placement",
        "cpu_ns_per_op",
        "switches_per_op",
        "futex_calls_per_op",
    ] {
        assert_eq!(row[field], Value::Null, "{field}");
    }
    let nothing = serde_json::to_value(Row::of_samples(&[])).unwrap();
    for field in [
        "min_ns",
        "p50_ns",
        "max_ns",
        "mean_ns",
        "ops_per_s",
        "futex_calls_per_op",
        "histogram",
    ] {
        assert_eq!(nothing[field], Value::Null, "{field}");
    }
}

#[test]
fn what_was_counted_belongs_to_the_round_that_counted() {
    let counts = Counts {
        migrations: Some(2),
        ..Counts::default()
    };
    let round = Sample {
        counts: Some(counts),
        ..sample([100; 4], known())
    };
    let row = Row::default().counted(&round);
    assert_eq!((row.migrations_per_op, row.cycles_per_op), (Some(0.5), None));
}

#[test]
fn a_ratio_is_taken_round_by_round() {
    let ratio = &serde_json::to_value(example()).unwrap()["ratios"][0];
    assert_eq!(ratio["of"], "relay park same");
    assert_eq!(ratio["to"], "pipe");
    assert_eq!(ratio["rounds"], 2);
    // Rounds of 0.5 and 1.0; net of the harness (200 - 10) / (400 - 10) and 1.0.
    assert_eq!(ratio["p50"], 0.75);
    assert_eq!(
        (&ratio["p50_low"], &ratio["p50_high"]),
        (&json!(0.5), &json!(1.0))
    );
    let net = ratio["p50_net"].as_f64().unwrap();
    assert!((net - (190.0 / 390.0 + 1.0) / 2.0).abs() < 1e-9, "{net}");
}

#[test]
fn the_object_has_the_promised_fields() {
    let value = serde_json::to_value(example()).unwrap();
    for field in ["experiment", "machine", "rows", "ratios", "targets", "notes"] {
        assert!(!value[field].is_null(), "{field}");
    }
    // Experiments on files name these two; others do not have them at all.
    assert!(value["rows"][0].get("fs").is_none());
    assert!(value["rows"][0].get("op").is_none());
}

#[test]
fn written_and_read_again() {
    let path = std::env::temp_dir().join(format!("perf-result-{}.json", std::process::id()));
    let results = example();
    results.write(&path).unwrap();
    let again = Results::read(&path);
    fs::remove_file(&path).unwrap();
    assert_eq!(again.unwrap(), results);
    assert!(Results::read(&path).is_err());
}

#[test]
fn a_target_is_met_missed_or_not_measured() {
    let met = |measured| Target::at_most("R2", "one to another", measured, 0.75).met;
    assert_eq!(
        [met(Some(0.75)), met(Some(0.76)), met(None)],
        [Some(true), Some(false), None]
    );
    let line = Target::at_most("R2", "one to another", Some(0.8), 0.75)
        .noted("noisy")
        .line();
    assert_eq!(
        line,
        "R2   missed: one to another: 0.800, target at most 0.750 (noisy)"
    );
}
