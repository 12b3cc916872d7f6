// SPDX-License-Identifier: MIT
//! Which strategy to mount with on this machine, and why.
//!
//! A mount serves applications wherever they run, so the strategy to have is the one that is never
//! far from the best: for each situation measured (placement, third task, file system, operation) its
//! median is divided by the best strategy's, and the worst of these ratios is what counts. `spin` is
//! left out, since it burns a CPU while nothing happens: whoever gives it one asks for it by name.

use std::collections::BTreeMap;

use perf::result::{Results, Row};

use crate::table::time;

/// A recommendation.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// The strategy's name, as given at mount.
    pub strategy: String,
    /// Its worst ratio to the best strategy of a situation.
    pub worst: f64,
    /// Why, in one sentence with numbers.
    pub reason: String,
}

/// Ratios so close to each other are the same: then what costs less CPU is preferred.
const SAME: f64 = 1.05;

/// What a strategy showed over all situations.
#[derive(Debug)]
struct Record<'a> {
    strategy: &'a str,
    worst: f64,
    cpu_ns: f64,
    rows: Vec<&'a Row>,
}

/// Recommends from a run's rows; of a run over files, from those of one feeder. `None` if they do not
/// tell: no strategy was measured in every situation.
pub fn recommend(results: &Results, feeder: Option<&str>) -> Option<Recommendation> {
    let rows = results
        .rows
        .iter()
        .filter(|row| feeder.is_none_or(|feeder| row.mechanism == feeder));
    let mut situations: BTreeMap<_, Vec<(&str, f64, &Row)>> = BTreeMap::new();
    for row in rows {
        if let (Some(strategy), Some(p50)) = (row.strategy.as_deref(), row.p50_ns)
            && strategy != "spin"
        {
            let situation = (&row.fs, &row.op, &row.mechanism, &row.placement);
            situations
                .entry(situation)
                .or_default()
                .push((strategy, p50 as f64, row));
        }
    }
    let mut records: BTreeMap<&str, Record<'_>> = BTreeMap::new();
    for measured in situations.values() {
        let best = measured
            .iter()
            .map(|(_, p50, _)| *p50)
            .fold(f64::INFINITY, f64::min);
        for &(strategy, p50, row) in measured {
            let fresh = Record {
                strategy,
                worst: 1.0,
                cpu_ns: 0.0,
                rows: Vec::new(),
            };
            let record = records.entry(strategy).or_insert(fresh);
            record.worst = record.worst.max(p50 / best.max(1.0));
            record.cpu_ns += row.cpu_ns_per_op.unwrap_or(f64::INFINITY);
            record.rows.push(row);
        }
    }
    let everywhere = records
        .into_values()
        .filter(|record| record.rows.len() == situations.len());
    let mut ranked: Vec<Record<'_>> = everywhere.collect();
    ranked.sort_by(|a, b| a.worst.total_cmp(&b.worst));
    let limit = ranked.first()?.worst * SAME;
    let close = ranked.iter().filter(|record| record.worst <= limit);
    let chosen = close.min_by(|a, b| a.cpu_ns.total_cmp(&b.cpu_ns))?;
    Some(Recommendation {
        strategy: chosen.strategy.to_owned(),
        worst: chosen.worst,
        reason: reason(chosen, &ranked),
    })
}

fn reason(chosen: &Record<'_>, ranked: &[Record<'_>]) -> String {
    let others = ranked.iter().filter(|record| record.strategy != chosen.strategy);
    let others: Vec<_> = others
        .map(|other| format!("{} {:.2}", other.strategy, other.worst))
        .collect();
    let shown = chosen.rows.iter().filter(|row| row.op.as_deref() != Some("read"));
    let figures: Vec<_> = shown
        .map(|row| {
            let parts = [row.fs.as_deref(), row.op.as_deref(), row.placement.as_deref()];
            let parts: Vec<_> = parts.into_iter().flatten().collect();
            format!("{} {}", parts.join(" "), time(row.p50_ns.map(|ns| ns as f64)))
        })
        .collect();
    let against = if others.is_empty() {
        String::new()
    } else {
        format!(" ({})", others.join(", "))
    };
    format!(
        "-o relay={}: its median is never more than {:.2} times the best strategy's{against}: {}",
        chosen.strategy,
        chosen.worst,
        figures.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(rows: &[(&str, &str, u64, f64)]) -> Results {
        let row = |&(strategy, placement, p50, cpu): &(&str, &str, u64, f64)| Row {
            mechanism: "relay".to_owned(),
            strategy: Some(strategy.to_owned()),
            placement: Some(placement.to_owned()),
            p50_ns: Some(p50),
            cpu_ns_per_op: Some(cpu),
            ..Row::default()
        };
        Results {
            rows: rows.iter().map(row).collect(),
            ..Results::begin("handoff", true)
        }
    }

    #[test]
    fn never_far_from_the_best_beats_sometimes_the_best() {
        let results = results(&[
            ("yield", "same", 2_600, 1.0),
            ("yield", "cross", 40_000, 1.0),
            ("hybrid", "same", 3_900, 1.0),
            ("hybrid", "cross", 200, 1.0),
            ("spin", "same", 2_000, 1.0),
            ("spin", "cross", 100, 1.0),
        ]);
        let found = recommend(&results, None).unwrap();
        assert_eq!(found.strategy, "hybrid");
        assert_eq!(found.worst, 1.5);
        assert_eq!(
            found.reason,
            "-o relay=hybrid: its median is never more than 1.50 times the best strategy's (yield 200.00): \
             cross 200 ns, same 3.90 µs"
        );
    }

    #[test]
    fn among_equals_the_one_that_costs_less() {
        let results = results(&[("park", "same", 1_000, 900.0), ("hybrid", "same", 980, 990.0)]);
        assert_eq!(recommend(&results, None).unwrap().strategy, "park");
    }

    #[test]
    fn only_what_was_measured_everywhere_can_be_recommended() {
        let results = results(&[
            ("park", "same", 1_000, 1.0),
            ("park", "cross", 1_000, 1.0),
            ("yield", "same", 10, 1.0),
        ]);
        assert_eq!(recommend(&results, None).unwrap().strategy, "park");
        assert_eq!(recommend(&results, Some("fuse")), None);
    }
}
