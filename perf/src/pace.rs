// SPDX-License-Identifier: MIT
//! When the next operation starts.
//!
//! In a closed loop it starts when the last one ended: right for a hand-off's own cost, blind to what
//! a stall does to those who would have come meanwhile. In an open loop each operation has a planned
//! start, and its time counts from there, whether the last one was late or not: so a stall is paid by
//! every operation that it delayed (no coordinated omission).

use std::time::Duration;

use crate::clock::{Clock, Stamp};
use crate::histogram::Histogram;

/// The rule by which operations start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each as soon as the last one ended.
    Closed,
    /// One in each interval, on time or late.
    Open(Duration),
}

impl Pace {
    /// An open loop of so many operations a second; `None` unless that is a positive number.
    pub fn per_second(rate: f64) -> Option<Self> {
        let interval = Duration::try_from_secs_f64(rate.recip()).ok()?;
        (interval > Duration::ZERO).then_some(Self::Open(interval))
    }
}

/// When a measurement ends: at whichever comes first. At least one operation is always made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// After so many operations.
    pub ops: u64,
    /// After this time. An operation in flight is waited for.
    pub time: Duration,
}

/// What a paced run measured.
#[derive(Clone, Debug)]
pub struct Paced {
    /// The time of each operation.
    pub histogram: Histogram,
    /// From the first start to the last end.
    pub elapsed: Duration,
}

/// Below this the wait for a planned start is spun: a sleep would end later than that.
const SPUN: Duration = Duration::from_micros(200);

/// Runs `op` at a pace. It is given the number of the operation, from 0, and stops the run by an error.
#[inline]
pub fn run<E>(
    clock: &Clock,
    pace: Pace,
    bounds: Bounds,
    mut op: impl FnMut(u64) -> Result<(), E>,
) -> Result<Paced, E> {
    let mut histogram = Histogram::new();
    let limit = bounds.time.as_nanos() as u64;
    let begin = clock.stamp();
    let mut end = begin;
    for number in 0..bounds.ops.max(1) {
        let late = match pace {
            Pace::Closed => 0,
            Pace::Open(interval) => {
                let planned = interval.as_nanos() as u64 * number;
                if planned >= limit && number > 0 {
                    break;
                }
                wait_until(clock, begin, planned)
            }
        };
        let start = clock.stamp();
        op(number)?;
        end = clock.stamp();
        histogram.record(late + clock.ns(start, end));
        if clock.ns(begin, end) >= limit {
            break;
        }
    }
    Ok(Paced {
        histogram,
        elapsed: Duration::from_nanos(clock.ns(begin, end)),
    })
}

/// Waits until `planned` nanoseconds after `begin`; returns by how many it is too late already.
fn wait_until(clock: &Clock, begin: Stamp, planned: u64) -> u64 {
    loop {
        let now = clock.ns(begin, clock.stamp());
        if now >= planned {
            return now - planned;
        }
        let left = Duration::from_nanos(planned - now);
        if left > SPUN {
            std::thread::sleep(left - SPUN);
        } else {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const LONG: Duration = Duration::from_secs(60);

    fn paced(pace: Pace, ops: u64, time: Duration, mut op: impl FnMut(u64)) -> Paced {
        let ok = |number| -> Result<(), Infallible> {
            op(number);
            Ok(())
        };
        run(&Clock::new(), pace, Bounds { ops, time }, ok).unwrap()
    }

    #[test]
    fn a_closed_loop_makes_as_many_operations_as_asked() {
        let mut numbers = Vec::new();
        let paced = paced(Pace::Closed, 5, LONG, |number| numbers.push(number));
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        assert_eq!(paced.histogram.count(), 5);
    }

    #[test]
    fn time_ends_it_too_but_not_before_the_first() {
        let paced = paced(Pace::Closed, 1_000_000_000, Duration::ZERO, |_| {});
        assert_eq!(paced.histogram.count(), 1);
    }

    #[test]
    fn a_stall_is_paid_by_all_that_it_delayed() {
        let stall = Duration::from_millis(10);
        let pace = Pace::Open(Duration::from_millis(1));
        let paced = paced(pace, 6, LONG, |number| {
            if number == 0 {
                std::thread::sleep(stall);
            }
        });
        // Planned at 0 to 5 ms and none could start before 10: the last still waited for 5.
        assert_eq!(paced.histogram.count(), 6);
        assert!(paced.histogram.summary().unwrap().min_ns >= 4_900_000);
    }

    #[test]
    fn an_open_loop_does_not_run_ahead_of_its_plan() {
        let pace = Pace::per_second(1_000.0).unwrap();
        let paced = paced(pace, 4, LONG, |_| {});
        assert!(paced.elapsed >= Duration::from_micros(2_990));
    }

    #[test]
    fn a_rate_is_a_positive_number() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Pace::per_second(rate), None, "{rate}");
        }
    }

    #[test]
    fn an_error_ends_it() {
        let bounds = Bounds { ops: 9, time: LONG };
        let end = run(&Clock::new(), Pace::Closed, bounds, |number| {
            if number == 3 { Err(number) } else { Ok(()) }
        });
        assert_eq!(end.err(), Some(3));
    }
}
