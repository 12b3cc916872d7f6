// SPDX-License-Identifier: MIT
//! Every mechanism hands over, and the results have the promised form. No time is judged.

use std::collections::BTreeSet;
use std::time::Duration;

use perf::pace::{Bounds, Pace};

use super::*;
use crate::progress::Progress;

#[test]
fn a_tiny_run_has_every_row_and_verdict() {
    let tiny = Bounds {
        ops: 3,
        time: Duration::from_secs(10),
    };
    let effort = Effort {
        rounds: 2,
        each: tiny,
        warm_up: Bounds { ops: 1, ..tiny },
        pace: Pace::Closed,
        quick: true,
    };
    let setting = Setting {
        effort,
        image_dir: None,
        zus: None,
        progress: Progress::new("handoff", true),
    };
    let outcome = run(&setting).unwrap();
    let results = &outcome.results;

    let is_cross_here = seats(Placement::Cross).is_some();
    let names: BTreeSet<String> = results.rows.iter().map(Row::name).collect();
    assert_eq!(names.len(), results.rows.len(), "no row twice");
    for strategy in Strategy::ALL {
        assert!(names.contains(&format!("relay {strategy} same")));
        assert_eq!(names.contains(&format!("relay {strategy} cross")), is_cross_here);
    }
    for name in [
        "empty",
        "pipe same",
        "eventfd same",
        "futex same",
        "bare-spin same",
        "relay park same+hog",
    ] {
        assert!(names.contains(name), "{name}");
    }
    assert!(
        results.rows.iter().all(|row| row.n == 6),
        "three operations in each of two rounds"
    );
    assert!(
        results.row("pipe same").unwrap().futex_calls_per_op.is_none(),
        "nobody counts a pipe's"
    );
    assert!(
        results
            .row("relay park same")
            .unwrap()
            .futex_calls_per_op
            .is_some()
    );
    assert!(results.calibration.is_some() && results.noise.is_some());
    assert_eq!(outcome.intervals.len() % 2, 0, "every arm in each of two rounds");

    let ids: BTreeSet<_> = results.targets.iter().map(|target| target.id.as_str()).collect();
    assert_eq!(ids, BTreeSet::from(["R1", "R2", "R3", "R6"]));
    let again = results
        .ratios
        .iter()
        .filter(|ratio| ratio.of.ends_with("(again)"));
    assert_eq!(again.count(), if is_cross_here { 2 } else { 1 });
    assert!(results.ratios.iter().all(|ratio| ratio.rounds == 2));
}
