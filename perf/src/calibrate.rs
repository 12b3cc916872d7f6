// SPDX-License-Identifier: MIT
//! What the elements of a hand-off cost on this machine: the yardstick beside every result, and what
//! a strategy's window is judged by. Takes well under a second.

use std::hint::black_box;
use std::io;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::cpu::{Placement, seats};
use crate::exchange::{Answerer, Caller, Plan, run};
use crate::pace::{Bounds, Pace};
use crate::pairs::{Futex, Spin, Yield, pair};
use crate::rounds::Spread;

/// Medians in nanoseconds; null is what this machine does not have (a second CPU) or does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// One timestamp.
    pub clock_ns: Option<f64>,
    /// A system call that does nothing (`getppid`).
    pub null_syscall_ns: Option<f64>,
    /// One `pause` (or what the architecture has for it).
    pub pause_ns: Option<f64>,
    /// A futex wake with nobody asleep.
    pub futex_wake_ns: Option<f64>,
    /// A `sched_yield` with nobody to yield to.
    pub yield_ns: Option<f64>,
    /// Round trip by `sched_yield`, both on one CPU.
    pub yield_same_ns: Option<f64>,
    /// Round trip by futex wake and wait, both on one CPU.
    pub futex_same_ns: Option<f64>,
    /// The same on two CPUs: waking a halted one is a lottery, above all in a virtual machine.
    pub futex_cross_ns: Option<f64>,
    /// Round trip of a cache line between two CPUs that spin.
    pub line_cross_ns: Option<f64>,
}

/// How long each element is tried.
const EACH: Duration = Duration::from_millis(25);

impl Calibration {
    /// Measures now. What fails is null.
    pub fn measure(clock: &Clock) -> Self {
        let word = AtomicU32::new(0);
        Self {
            clock_ns: price(clock, || _ = black_box(clock.stamp())),
            null_syscall_ns: price(clock, || _ = black_box(nix::unistd::getppid())),
            pause_ns: price(clock, std::hint::spin_loop),
            futex_wake_ns: price(clock, || atomic_wait::wake_one(&word)),
            yield_ns: price(clock, std::thread::yield_now),
            yield_same_ns: round_trip(clock, Placement::Same, pair::<Yield>()),
            futex_same_ns: round_trip(clock, Placement::Same, pair::<Futex>()),
            futex_cross_ns: round_trip(clock, Placement::Cross, pair::<Futex>()),
            line_cross_ns: round_trip(clock, Placement::Cross, pair::<Spin>()),
        }
    }

    /// Name and figure of each, in the order of a table.
    pub fn items(&self) -> [(&'static str, Option<f64>); 9] {
        [
            ("timestamp", self.clock_ns),
            ("null system call", self.null_syscall_ns),
            ("pause", self.pause_ns),
            ("futex wake, nobody asleep", self.futex_wake_ns),
            ("sched_yield, nobody else", self.yield_ns),
            ("sched_yield round trip, one CPU", self.yield_same_ns),
            ("futex round trip, one CPU", self.futex_same_ns),
            ("futex round trip, two CPUs", self.futex_cross_ns),
            ("cache-line round trip, two CPUs", self.line_cross_ns),
        ]
    }
}

/// What `op` costs: the median over batches, so that neither the clock nor an interrupt is in it.
fn price(clock: &Clock, op: impl Fn()) -> Option<f64> {
    const BATCH: u32 = 64;
    let begin = clock.stamp();
    let mut batches = Vec::new();
    while clock.since(begin) < EACH / 5 {
        let start = clock.stamp();
        (0..BATCH).for_each(|_| op());
        batches.push(clock.ns(start, clock.stamp()) as f64 / f64::from(BATCH));
    }
    Spread::of(batches).map(|spread| spread.median)
}

fn round_trip(clock: &Clock, placement: Placement, ends: (impl Caller, impl Answerer)) -> Option<f64> {
    let bounds = |time| Bounds { ops: 100_000, time };
    let plan = Plan {
        seats: seats(placement)?,
        warm_up: bounds(EACH / 5),
        measured: bounds(EACH),
        pace: Pace::Closed,
        count: false,
    };
    let sample: io::Result<_> = run(clock, &plan, ends.0, ends.1, &|| None);
    Some(sample.ok()?.paced.histogram.quantile(0.5) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_has_a_price_where_it_exists() {
        let calibration = Calibration::measure(&Clock::new());
        for (name, ns) in calibration.items() {
            match ns {
                Some(ns) => assert!(ns > 0.0, "{name}: {ns}"),
                None => assert!(
                    name.ends_with("two CPUs") && seats(Placement::Cross).is_none(),
                    "{name}"
                ),
            }
        }
    }
}
