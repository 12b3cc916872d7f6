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
    /// The other side; `None` if there is none.
    pub answerer: Option<Task>,
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
/// To read the switches takes long enough for the other side to fall asleep, and what is hot would no
/// longer be. So they are read outermost, one operation follows that is not timed, and what can be
/// read in a moment (calls, CPU time) is read after it.
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
    mut op: impl FnMut(u64) -> io::Result<()>,
) -> io::Result<Sample> {
    let (me, other) = (Task::current_thread(), watch.answerer);
    let both: Vec<Task> = [Some(me), other].into_iter().flatten().collect();
    let mut counters = watch.count.then(|| Counters::start(&both));
    // Whom there is not uses nothing, and that is known.
    let nobody = Usage {
        cpu_ns: Some(0),
        voluntary: Some(0),
        involuntary: Some(0),
    };
    let others = || other.map_or(nobody, Task::switches);
    let before = (me.switches(), others());
    op(0)?;
    let moment = || {
        (
            (watch.calls)(),
            me.cpu_ns(),
            other.map_or(nobody.cpu_ns, Task::cpu_ns),
        )
    };
    let start = moment();
    let paced = pace::run(clock, pace, bounds, op)?;
    let end = moment();
    // The other side first: it is the one that may fall asleep now.
    let answerer = others() - before.1;
    let caller = me.switches() - before.0;
    let used = |end: Option<u64>, start: Option<u64>| Some(end?.saturating_sub(start?));
    Ok(Sample {
        paced,
        caller: Usage {
            cpu_ns: used(end.1, start.1),
            ..caller
        },
        answerer: Usage {
            cpu_ns: used(end.2, start.2),
            ..answerer
        },
        calls: used(end.0, start.0),
        counts: counters.as_mut().map(Counters::read),
    })
}
