// SPDX-License-Identifier: MIT
//! What the figures say of the relay's promises.

use perf::result::{Ratio, Results, Target};

use crate::bench::Measured;

/// Fills in the ratios and the verdicts.
pub fn judge(results: &mut Results, measured: &Measured) {
    let mut ratio = |of: &str, to: &str| {
        let ratio = measured.ratio(of, to)?;
        results.ratios.push(ratio.clone());
        Some(ratio)
    };
    let spin = ratio("relay spin cross", "bare-spin cross");
    let hybrid = ratio("relay hybrid cross", "bare-spin cross");
    let yields = ratio("relay yield same", "futex same");
    let floor = ratio("relay yield same", "bare-yield same");
    let regret = ratio("relay hybrid same", "relay park same");
    let crowded = ratio("relay hybrid same+hog", "relay park same+hog");
    let doubles = ["futex same", "bare-spin cross"].map(|name| measured.against_itself(name));
    results.ratios.extend(doubles.into_iter().flatten());

    let mut targets = vec![
        Target::at_most("R1", "relay spin cross to bare-spin cross", worse(&spin), 1.5).noted(NET),
        Target::at_most("R1", "relay hybrid cross to bare-spin cross", worse(&hybrid), 1.5).noted(NET),
        with_floor(
            Target::at_most("R2", "relay yield same to futex same", p50(&yields), 0.75),
            &floor,
        ),
        Target::at_most("R3", "relay hybrid same to relay park same", p50(&regret), 1.05),
        Target::at_most("R3", "the same with a third runnable task", p50(&crowded), 1.05),
    ];
    targets.extend(counts(results));
    results.targets = targets;
}

const NET: &str = "the worse of with and without the harness's own price";

/// R6: what a hand-off may call and how often it may switch.
fn counts(results: &Results) -> Vec<Target> {
    let of = |name: &str, figure: fn(&perf::result::Row) -> Option<f64>| results.row(name).and_then(figure);
    let mut targets = Vec::new();
    for name in ["relay spin cross", "relay hybrid cross"] {
        let calls = of(name, |row| row.futex_calls_per_op);
        targets.push(Target::at_most(
            "R6",
            format!("{name}: futex calls per operation"),
            calls,
            0.001,
        ));
        let switches = of(name, |row| {
            Some(row.caller_voluntary_per_op? + row.answerer_voluntary_per_op?)
        });
        let target = Target::at_most(
            "R6",
            format!("{name}: voluntary switches per operation"),
            switches,
            0.0005,
        );
        targets.push(target.noted("none, to three digits"));
    }
    for (side, figure) in [
        (
            "asking",
            (|row| row.caller_voluntary_per_op) as fn(&perf::result::Row) -> Option<f64>,
        ),
        ("answering", |row| row.answerer_voluntary_per_op),
    ] {
        let what = format!("relay park same: voluntary switches per operation, {side} side");
        targets.push(Target::at_most("R6", what, of("relay park same", figure), 1.005));
    }
    targets
}

fn p50(ratio: &Option<Ratio>) -> Option<f64> {
    ratio.as_ref()?.p50
}

/// The harness is in both figures and makes their ratio milder than the mechanisms' own; noise can
/// turn that round. So the worse one counts.
fn worse(ratio: &Option<Ratio>) -> Option<f64> {
    let ratio = ratio.as_ref()?;
    Some(ratio.p50?.max(ratio.p50_net?))
}

fn with_floor(target: Target, floor: &Option<Ratio>) -> Target {
    match p50(floor) {
        Some(times) => target.noted(format!("{times:.2} times the sched_yield floor")),
        None => target,
    }
}
