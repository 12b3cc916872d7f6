// SPDX-License-Identifier: MIT
//! A comparison of two rows, taken round by round.

use serde::{Deserialize, Serialize};

use crate::rounds::Spread;
use crate::sample::Sample;

/// How one row compares to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The row above the line.
    pub of: String,
    /// The row below.
    pub to: String,
    /// Median over the rounds of the ratio of medians.
    pub p50: Option<f64>,
    /// The same of 99th percentiles.
    pub p99: Option<f64>,
    /// Rounds that it rests on.
    pub rounds: usize,
    /// Low end of the 95 % interval of `p50`.
    pub p50_low: Option<f64>,
    /// Its high end.
    pub p50_high: Option<f64>,
    /// Low end of the 95 % interval of `p99`.
    pub p99_low: Option<f64>,
    /// Its high end.
    pub p99_high: Option<f64>,
    /// As `p50`, the harness's own price subtracted from both.
    pub p50_net: Option<f64>,
}

impl Ratio {
    /// From the samples of two rows, round by round. `harness_ns` is the median of an empty operation.
    pub fn between(of: (&str, &[Sample]), to: (&str, &[Sample]), harness_ns: Option<f64>) -> Self {
        let quantiles = |samples: &[Sample], share, less: f64| -> Vec<f64> {
            samples
                .iter()
                .map(|sample| sample.paced.histogram.quantile(share) as f64 - less)
                .collect()
        };
        let spread =
            |share, less| Spread::of_ratios(&quantiles(of.1, share, less), &quantiles(to.1, share, less));
        let (p50, p99) = (spread(0.5, 0.0), spread(0.99, 0.0));
        Self {
            of: of.0.to_owned(),
            to: to.0.to_owned(),
            p50: p50.map(|spread| spread.median),
            p99: p99.map(|spread| spread.median),
            rounds: of.1.len().min(to.1.len()),
            p50_low: p50.map(|spread| spread.low),
            p50_high: p50.map(|spread| spread.high),
            p99_low: p99.map(|spread| spread.low),
            p99_high: p99.map(|spread| spread.high),
            p50_net: harness_ns.and_then(|less| Some(spread(0.5, less)?.median)),
        }
    }
}
