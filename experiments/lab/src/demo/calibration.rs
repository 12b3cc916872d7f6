// SPDX-License-Identifier: MIT
//! Which strategy to mount with before anything was measured through a mount: a fraction of a second of
//! bare hand-offs.

use perf::calibrate::Calibration;
use perf::clock::Clock;

/// Measures, and says with which strategy to begin, and why.
pub fn recommend() -> (&'static str, String) {
    let (strategy, why) = choose(&Calibration::measure(&Clock::new()));
    (strategy, format!("`{strategy}` to begin with: {why}"))
}

fn choose(cost: &Calibration) -> (&'static str, String) {
    let us = |ns: f64| format!("{:.1} µs", ns / 1000.0);
    if let (Some(line), Some(futex)) = (cost.line_cross_ns, cost.futex_cross_ns) {
        let text = format!(
            "two CPUs pass a line to and fro in {}, a sleeper wakes in {}",
            us(line),
            us(futex)
        );
        // A spin that cannot beat sleeping is only heat: seen where the CPUs are not really there.
        return (if line < futex { "hybrid" } else { "park" }, text);
    }
    match (cost.yield_same_ns, cost.futex_same_ns) {
        (Some(given), Some(futex)) => {
            let text = format!("one CPU, giving way takes {}, sleeping {}", us(given), us(futex));
            (if given < futex { "yield" } else { "park" }, text)
        }
        _ => ("park", "this machine let nothing be measured".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spinning_is_recommended_only_where_it_pays() {
        let two = Calibration {
            line_cross_ns: Some(100.0),
            futex_cross_ns: Some(40_000.0),
            ..Default::default()
        };
        assert_eq!(choose(&two).0, "hybrid");
        let shared = Calibration {
            line_cross_ns: Some(8e6),
            ..two
        };
        assert_eq!(choose(&shared).0, "park");
        let one = Calibration {
            yield_same_ns: Some(2500.0),
            futex_same_ns: Some(4000.0),
            ..Default::default()
        };
        assert_eq!(choose(&one).0, "yield");
        assert_eq!(choose(&Calibration::default()).0, "park");
    }
}
