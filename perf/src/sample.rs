// SPDX-License-Identifier: MIT
//! One stretch of operations, with everything that is known about it: times, what both sides used,
//! what they called, what was counted.

use std::fmt;
use std::io;

use crate::clock::Clock;
use crate::counters::{Counters, Counts};
use crate::pace::{self, Bounds, Pace, Paced};
use crate::usage::{Task, Usage};

/// What one stretch gave.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The times.
    pub paced: Paced,
    /// What the asking thread used.
    pub caller: Usage,
    /// What the answering side used.
    pub answerer: Usage,
    /// Blocking and waking system calls of both sides; `None` if nobody counts them.
    pub calls: Option<u64>,
    /// What perf-event counted of both, if it was asked to.
    pub counts: Option<Counts>,
}

/// What is watched while the operations run.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// The other side.
    pub answerer: Task,
    /// How many calls both sides have made until now.
    pub calls: &'a dyn Fn() -> Option<u64>,
    /// Whether perf-event counts along. It disturbs the times.
    pub count: bool,
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("answerer", &self.answerer)
            .finish_non_exhaustive()
    }
}

/// Runs `op` on this thread and watches both sides meanwhile.
///
/// # Errors
///
/// Those of `op`.
#[inline]
pub fn take(
    clock: &Clock,
    pace: Pace,
    bounds: Bounds,
    watch: Watch<'_>,
    op: impl FnMut(u64) -> io::Result<()>,
) -> io::Result<Sample> {
    let me = Task::current_thread();
    let mut counters = watch.count.then(|| Counters::start(&[me, watch.answerer]));
    let reading = || ((watch.calls)(), me.usage(), watch.answerer.usage());
    let before = reading();
    let paced = pace::run(clock, pace, bounds, op)?;
    let after = reading();
    Ok(Sample {
        paced,
        caller: after.1 - before.1,
        answerer: after.2 - before.2,
        calls: after
            .0
            .zip(before.0)
            .map(|(after, before)| after.saturating_sub(before)),
        counts: counters.as_mut().map(Counters::read),
    })
}
