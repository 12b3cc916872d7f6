// SPDX-License-Identifier: MIT
//! The platform's own pauses: what any measurement beside them must have suffered too. A loop that
//! only reads the clock sees a gap wherever somebody else had the CPU: interrupts, other tasks, the
//! hypervisor.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::histogram::Histogram;

/// A gap in the loop from which on it counts as a pause: far above the loop's own step.
pub const PAUSE_NS: u64 = 1_000;

/// Pauses seen on one CPU, added up over all samples of a run.
#[derive(Clone, Debug, Default)]
pub struct Noise {
    sampled: Duration,
    pauses: Histogram,
    lost_ns: u64,
}

/// What a result says of the noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoiseSummary {
    /// How long was looked, in milliseconds.
    pub sampled_ms: f64,
    /// Pauses over a microsecond in a second.
    pub pauses_per_s: f64,
    /// The share of time that they took: 0 to 1.
    pub lost_share: f64,
    /// The median pause; null if there was none.
    pub p50_ns: Option<u64>,
    /// The longest pause; null if there was none.
    pub max_ns: Option<u64>,
    /// CPU time that the hypervisor gave to others while the experiment ran, in milliseconds over all
    /// CPUs; null where that is not told.
    pub stolen_ms: Option<u64>,
}

impl Noise {
    /// Looks for pauses on this thread's CPU for a while.
    pub fn sample(&mut self, clock: &Clock, time: Duration) {
        let begin = clock.stamp();
        let limit = time.as_nanos() as u64;
        let mut last = begin;
        loop {
            let now = clock.stamp();
            let gap = clock.ns(last, now);
            last = now;
            if gap >= PAUSE_NS {
                self.pauses.record(gap);
                self.lost_ns += gap;
            }
            if clock.ns(begin, now) >= limit {
                break;
            }
        }
        self.sampled += Duration::from_nanos(clock.ns(begin, last));
    }

    /// What was seen; `stolen` is the difference of two [`stolen_ms`].
    pub fn summary(&self, stolen_ms: Option<u64>) -> Option<NoiseSummary> {
        let seconds = self.sampled.as_secs_f64();
        (seconds > 0.0).then(|| NoiseSummary {
            sampled_ms: seconds * 1e3,
            pauses_per_s: self.pauses.count() as f64 / seconds,
            lost_share: self.lost_ns as f64 / 1e9 / seconds,
            p50_ns: self.pauses.summary().map(|pauses| pauses.p50_ns),
            max_ns: self.pauses.summary().map(|pauses| pauses.max_ns),
            stolen_ms,
        })
    }
}

/// CPU time that the hypervisor gave to others since boot, in milliseconds over all CPUs. Machines
/// without a hypervisor, and hypervisors that do not tell, count nothing.
pub fn stolen_ms() -> Option<u64> {
    stolen(&fs::read_to_string("/proc/stat").ok()?)
}

fn stolen(stat: &str) -> Option<u64> {
    // cpu user nice system idle iowait irq softirq steal ..., in ticks of 10 ms by the ABI.
    let ticks: u64 = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .nth(7)?
        .parse()
        .ok()?;
    Some(ticks * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_seen() {
        let mut noise = Noise::default();
        assert_eq!(noise.summary(None), None);
        noise.sample(&Clock::new(), Duration::from_millis(5));
        let summary = noise.summary(Some(0)).unwrap();
        assert!(summary.sampled_ms >= 4.9);
        assert!((0.0..=1.0).contains(&summary.lost_share));
        assert_eq!(summary.p50_ns.is_some(), summary.pauses_per_s > 0.0);
    }

    #[test]
    fn steal_is_the_eighth_figure() {
        assert_eq!(stolen("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 ..."), Some(80));
        assert_eq!(stolen("cpu  1 2 3"), None);
    }
}
