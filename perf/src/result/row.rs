// SPDX-License-Identifier: MIT
//! One row: a thing measured, all rounds together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::sample::Sample;
use crate::usage::Usage;

/// One thing measured, all rounds together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The file system behind it, in experiments on files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fs: Option<String>,
    /// The operation, in experiments on files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// The way to hand over; in experiments on files, the feeder.
    pub mechanism: String,
    /// The relay's strategy; null where there is no relay.
    pub strategy: Option<String>,
    /// `same` or `cross`; with `+hog` a third task wants the caller's CPU.
    pub placement: Option<String>,
    /// Operations measured.
    pub n: u64,
    /// The shortest time of an operation.
    pub min_ns: Option<u64>,
    /// The median.
    pub p50_ns: Option<u64>,
    /// 90 in 100 are no longer.
    pub p90_ns: Option<u64>,
    /// 99 in 100 are no longer.
    pub p99_ns: Option<u64>,
    /// 999 in 1000 are no longer.
    pub p999_ns: Option<u64>,
    /// 9999 in 10000 are no longer.
    pub p9999_ns: Option<u64>,
    /// The longest.
    pub max_ns: Option<u64>,
    /// The mean.
    pub mean_ns: Option<f64>,
    /// Operations in a second of the loop, harness included.
    pub ops_per_s: Option<f64>,
    /// CPU time of both sides for one operation.
    pub cpu_ns_per_op: Option<f64>,
    /// Context switches of both sides together for one operation, voluntary or not.
    pub switches_per_op: Option<f64>,
    /// Blocking and waking system calls of the relay or futex, of both sides together, for one
    /// operation. A `sched_yield` is neither.
    pub futex_calls_per_op: Option<f64>,
    /// Voluntary switches of the asking side for one operation.
    pub caller_voluntary_per_op: Option<f64>,
    /// Voluntary switches of the answering side for one operation.
    pub answerer_voluntary_per_op: Option<f64>,
    /// Moves of either side to another CPU for one operation.
    pub migrations_per_op: Option<f64>,
    /// CPU cycles of both sides for one operation.
    pub cycles_per_op: Option<f64>,
    /// Instructions of both sides for one operation.
    pub instructions_per_op: Option<f64>,
    /// The median of each round.
    #[serde(default)]
    pub p50_ns_by_round: Vec<u64>,
    /// The whole distribution: HdrHistogram's V2 deflate form in base64.
    pub histogram: Option<String>,
}

impl Row {
    /// All rounds of one arm together.
    pub fn of_samples(samples: &[Sample]) -> Self {
        let mut all = Histogram::new();
        samples
            .iter()
            .for_each(|sample| all.merge(&sample.paced.histogram));
        let elapsed: Duration = samples.iter().map(|sample| sample.paced.elapsed).sum();
        let caller: Usage = samples.iter().map(|sample| sample.caller).sum();
        let answerer: Usage = samples.iter().map(|sample| sample.answerer).sum();
        let both = caller + answerer;
        let n = all.count();
        let per_op = |amount: Option<u64>| amount.filter(|_| n > 0).map(|amount| amount as f64 / n as f64);
        let summary = all.summary();
        Self {
            n,
            min_ns: summary.map(|s| s.min_ns),
            p50_ns: summary.map(|s| s.p50_ns),
            p90_ns: summary.map(|s| s.p90_ns),
            p99_ns: summary.map(|s| s.p99_ns),
            p999_ns: summary.map(|s| s.p999_ns),
            p9999_ns: summary.map(|s| s.p9999_ns),
            max_ns: summary.map(|s| s.max_ns),
            mean_ns: summary.map(|s| s.mean_ns),
            ops_per_s: summary
                .map(|s| s.n as f64 / elapsed.as_secs_f64())
                .filter(|rate| rate.is_finite()),
            cpu_ns_per_op: per_op(both.cpu_ns),
            switches_per_op: per_op(both.switches()),
            futex_calls_per_op: per_op(samples.iter().map(|sample| sample.calls).sum()),
            caller_voluntary_per_op: per_op(caller.voluntary),
            answerer_voluntary_per_op: per_op(answerer.voluntary),
            p50_ns_by_round: samples
                .iter()
                .map(|sample| sample.paced.histogram.quantile(0.5))
                .collect(),
            histogram: summary.map(|_| all.encode()),
            ..Self::default()
        }
    }

    /// With what was counted in a round of its own: by perf-event, and calls that were not counted else.
    pub fn counted(self, round: &Sample) -> Self {
        let Some(counts) = round.counts else {
            return self;
        };
        let n = round.paced.histogram.count() as f64;
        let per_op = |amount: Option<u64>| Some(amount? as f64 / n).filter(|figure| figure.is_finite());
        Self {
            futex_calls_per_op: self.futex_calls_per_op.or(per_op(round.calls)),
            migrations_per_op: per_op(counts.migrations),
            cycles_per_op: per_op(counts.cycles),
            instructions_per_op: per_op(counts.instructions),
            ..self
        }
    }

    /// Its name in ratios and plots: file system and operation if it has them, then mechanism,
    /// strategy and placement.
    pub fn name(&self) -> String {
        let parts = [self.fs.as_deref(), self.op.as_deref(), Some(&*self.mechanism)];
        let parts = parts
            .into_iter()
            .chain([self.strategy.as_deref(), self.placement.as_deref()]);
        parts.flatten().collect::<Vec<_>>().join(" ")
    }
}
