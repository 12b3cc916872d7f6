// SPDX-License-Identifier: MIT
//! What to mount with, judged by what was measured here.

use perf::result::{Results, Row};
use std::collections::BTreeMap;

/// Never recommended without being asked for: it burns a CPU while nothing happens.
const RESTLESS: &str = "spin";
/// Closer than this, the one that costs less CPU is better.
const TIE: f64 = 1.05;

/// One strategy through one feeder, over all placements and operations.
#[derive(Debug, PartialEq)]
struct Score {
    /// Geometric mean of the medians: no placement or operation outweighs another by being slow.
    ns: f64,
    /// Mean of what an operation costs both sides in CPU time, where it was counted.
    cpu_ns: Option<f64>,
}

/// A few lines: with which strategy, and why.
pub fn text(results: &Results) -> String {
    // A mount is what every program can use; without one, what is left.
    let feeder = ["fuse", "shm"]
        .into_iter()
        .find(|feeder| !scores(&results.rows, feeder).is_empty());
    let Some(feeder) = feeder else {
        return "nothing was measured that could be mounted".into();
    };
    let scores = scores(&results.rows, feeder);
    let Some(best) = best(&scores) else {
        return "no strategy that sleeps was measured".into();
    };
    let us = |name: &str| {
        scores
            .get(name)
            .map(|score| format!("{:.1} µs", score.ns / 1000.0))
    };
    let mut text = format!(
        "best here through {feeder}: -o relay={best}  ({} for 4 KiB, over all placements and operations",
        us(best).unwrap_or_default()
    );
    for other in ["waitqueue", "park", RESTLESS] {
        if let Some(score) = scores.get(other).filter(|_| other != best) {
            text += &format!("; {other} {:.2}x", score.ns / scores[best].ns);
        }
    }
    text.push(')');
    if scores
        .get(RESTLESS)
        .is_some_and(|score| score.ns < scores[best].ns)
    {
        text += &format!("\n{RESTLESS} never sleeps: for a CPU that is given to the server alone");
    }
    text
}

/// The quickest that also sleeps; of those about as quick, the one that costs less CPU.
fn best(scores: &BTreeMap<String, Score>) -> Option<&str> {
    let calm = || scores.iter().filter(|(name, _)| *name != RESTLESS);
    let quickest = calm().map(|(_, score)| score.ns).min_by(f64::total_cmp)?;
    let cost = |score: &Score| score.cpu_ns.unwrap_or(f64::INFINITY);
    let tied = calm().filter(|(_, score)| score.ns <= quickest * TIE);
    tied.min_by(|(_, a), (_, b)| cost(a).total_cmp(&cost(b)).then(a.ns.total_cmp(&b.ns)))
        .map(|(name, _)| name.as_str())
}

fn scores(rows: &[Row], feeder: &str) -> BTreeMap<String, Score> {
    let mut grouped: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    let real =
        |row: &&Row| row.mechanism == feeder && row.fs.as_deref() == Some("pmemfs") && row.p50_ns.is_some();
    for row in rows.iter().filter(real) {
        if let Some(strategy) = &row.strategy {
            grouped.entry(strategy.clone()).or_default().push(row);
        }
    }
    grouped
        .into_iter()
        .map(|(strategy, rows)| (strategy, score(&rows)))
        .collect()
}

fn score(rows: &[&Row]) -> Score {
    let logs: Vec<f64> = rows
        .iter()
        .filter_map(|row| row.p50_ns)
        .map(|ns| (ns.max(1) as f64).ln())
        .collect();
    let cpu: Vec<f64> = rows.iter().filter_map(|row| row.cpu_ns_per_op).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    Score {
        ns: mean(&logs).exp(),
        cpu_ns: (!cpu.is_empty()).then(|| mean(&cpu)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(strategy: &str, p50: u64, cpu: f64) -> Row {
        Row {
            fs: Some("pmemfs".into()),
            op: Some("write".into()),
            mechanism: "fuse".into(),
            strategy: Some(strategy.into()),
            p50_ns: Some(p50),
            cpu_ns_per_op: Some(cpu),
            ..Row::default()
        }
    }

    #[test]
    fn the_quickest_that_sleeps_is_best_and_of_equals_the_cheaper() {
        let rows = [
            row("spin", 100, 1.0),
            row("hybrid", 200, 900.0),
            row("park", 205, 300.0),
            row("yield", 400, 1.0),
        ];
        assert_eq!(best(&scores(&rows, "fuse")), Some("park"));
        assert_eq!(best(&scores(&rows[..2], "fuse")), Some("hybrid"));
        assert_eq!(best(&scores(&rows[..1], "fuse")), None);
        assert!(scores(&rows, "shm").is_empty());
    }

    #[test]
    fn one_slow_placement_does_not_outweigh_the_rest() {
        let rows = [row("park", 1000, 1.0), row("park", 100_000, 1.0)];
        assert!((scores(&rows, "fuse")["park"].ns - 10_000.0).abs() < 1.0);
    }
}
