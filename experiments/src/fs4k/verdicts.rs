// SPDX-License-Identifier: MIT
//! What the figures say of the promise M1: the same server, reached through shared memory against
//! through /dev/fuse.

use perf::result::{Ratio, Results, Row, Target};

use crate::bench::Measured;

/// Fills in the ratios and the verdicts.
pub fn judge(results: &mut Results, measured: &Measured) {
    let (mut ratios, mut targets) = (Vec::new(), Vec::new());
    for (op, what) in [
        ("write", "4 KiB write on nullfs, shm to fuse"),
        (
            "write-only",
            "the same without O_SYNC: one request through either",
        ),
        // Not in the promise, but worth its ratio.
        ("read", ""),
    ] {
        let ratio = |placement| {
            let best = |feeder| best(&results.rows, op, feeder, placement);
            measured.ratio(&best("shm")?, &best("fuse")?)
        };
        let (anywhere, same) = (ratio(None), ratio(Some("same")));
        // Quick runs leave the second operation out.
        if op == "write" || (op == "write-only" && anywhere.is_some()) {
            targets.extend([
                target(
                    format!("{what}, each at its best: p50"),
                    &anywhere,
                    |ratio| ratio.p50,
                    1.0 / 15.0,
                ),
                target(
                    format!("{what}, each at its best: p99"),
                    &anywhere,
                    |ratio| ratio.p99,
                    1.0 / 50.0,
                ),
                target(
                    format!("{what}, both on one CPU: p50"),
                    &same,
                    |ratio| ratio.p50,
                    0.5,
                ),
            ]);
        }
        ratios.extend([anywhere, same].into_iter().flatten());
    }
    // On a machine with one CPU the best placement is the only one.
    ratios.dedup();
    ratios.extend(
        results
            .rows
            .iter()
            .filter_map(|row| measured.against_itself(&row.name())),
    );
    results.ratios = ratios;
    results.targets = targets;
}

fn target(what: String, ratio: &Option<Ratio>, figure: fn(&Ratio) -> Option<f64>, most: f64) -> Target {
    let target = Target::at_most("M1", what, ratio.as_ref().and_then(figure), most);
    match ratio {
        Some(ratio) => target.noted(format!("{} to {}", ratio.of, ratio.to)),
        None => target,
    }
}

/// The name of the row with the shortest median.
fn best(rows: &[Row], op: &str, feeder: &str, placement: Option<&str>) -> Option<String> {
    let of = |row: &&Row| {
        row.fs.as_deref() == Some("nullfs")
            && row.op.as_deref() == Some(op)
            && row.mechanism == feeder
            && row.p50_ns.is_some()
            && placement.is_none_or(|placement| row.placement.as_deref() == Some(placement))
    };
    Some(rows.iter().filter(of).min_by_key(|row| row.p50_ns)?.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_row_is_found_within_its_kind() {
        let row = |op: &str, feeder: &str, strategy: &str, placement: &str, p50| Row {
            fs: Some("nullfs".to_owned()),
            op: Some(op.to_owned()),
            mechanism: feeder.to_owned(),
            strategy: Some(strategy.to_owned()),
            placement: Some(placement.to_owned()),
            p50_ns: p50,
            ..Row::default()
        };
        let rows = [
            row("write", "shm", "park", "same", Some(4_000)),
            row("write", "shm", "hybrid", "cross", Some(400)),
            row("write", "shm", "spin", "cross", None),
            row("read", "shm", "spin", "cross", Some(300)),
            row("write", "fuse", "park", "same", Some(9_000)),
        ];
        let name = |feeder, placement| best(&rows, "write", feeder, placement);
        assert_eq!(name("shm", None).unwrap(), "nullfs write shm hybrid cross");
        assert_eq!(name("shm", Some("same")).unwrap(), "nullfs write shm park same");
        assert_eq!(name("fuse", Some("cross")), None);
    }
}
