// SPDX-License-Identifier: MIT
//! A hand-off, measured: one side asks with a number, the other answers with the same number, and the
//! time from asking to knowing is recorded. Every way to hand over is an ordinary pair of a [`Caller`]
//! and an [`Answerer`], so that nothing but the way differs between two rows of a table.

use std::io;
use std::sync::mpsc;
use std::thread;

use crate::clock::Clock;
use crate::cpu::{Seats, pin};
use crate::pace::{self, Bounds, Pace};
use crate::sample::{self, Sample, Watch};
use crate::usage::Task;

/// Asked last: the answerer answers it and returns. Never used as an ordinary number, and neither is 0,
/// the state of fresh memory.
pub const STOP: u32 = u32::MAX;

/// The side that asks. Its time is what is measured.
pub trait Caller {
    /// Hands `number` over and waits for the answer.
    ///
    /// # Errors
    ///
    /// Those of the mechanism; the run ends.
    fn call(&mut self, number: u32) -> io::Result<u32>;
}

/// The side that answers.
pub trait Answerer: Send {
    /// Answers each number with itself, [`STOP`] last, and returns.
    ///
    /// # Errors
    ///
    /// Those of the mechanism. This end is dropped then, by which the caller must notice, or it waits
    /// forever.
    fn serve(&mut self) -> io::Result<()>;
}

/// How to run one.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where the two sides sit.
    pub seats: Seats,
    /// Operations before the measured ones: to fault pages in and let the scheduler settle.
    pub warm_up: Bounds,
    /// The measured operations.
    pub measured: Bounds,
    /// When they start.
    pub pace: Pace,
    /// Whether perf-event counts along. It disturbs the times.
    pub count: bool,
}

/// Runs a pair: the caller on this thread, the answerer on one of its own, both pinned. `calls` tells
/// how many calls the two have made until now to wait and to wake, if they count them.
///
/// # Errors
///
/// A CPU that cannot be had, the mechanism's own, and an answer that does not match its question,
/// since a mechanism that loses or doubles hand-offs has no price.
pub fn run(
    clock: &Clock,
    plan: &Plan,
    mut caller: impl Caller,
    mut answerer: impl Answerer,
    calls: &dyn Fn() -> Option<u64>,
) -> io::Result<Sample> {
    thread::scope(|scope| {
        let (ready, started) = mpsc::channel();
        let seat = plan.seats.answerer;
        let serving = thread::Builder::new()
            .name("answerer".into())
            .spawn_scoped(scope, move || {
                let _pinned = match pin(seat) {
                    Ok(pinned) => pinned,
                    Err(error) => {
                        // The receiver waits for this message in any case.
                        let _ = ready.send(Err(error));
                        return None;
                    }
                };
                // The receiver waits for this message in any case.
                let _ = ready.send(Ok(Task::current_thread()));
                // Kept until the caller has read the last answer, which closing may overtake. After
                // an error this end goes at once, and the caller reports what it sees of that.
                answerer.serve().ok().map(|()| answerer)
            })?;
        let _pinned = pin(plan.seats.caller)?;
        let other = started.recv().map_err(io::Error::other)??;
        let sample = measure(
            clock,
            plan,
            &mut caller,
            Watch {
                answerer: Some(other),
                calls,
                count: plan.count,
            },
        );
        // Also after an error: the scope waits for the answerer. If the mechanism is broken it says
        // so again, and dropping this end is then what the answerer sees.
        let stopped = caller.call(STOP);
        drop(caller);
        let served = serving.join();
        let sample = sample?;
        stopped?;
        served.map_err(|_| io::Error::other("the answering side panicked"))?;
        Ok(sample)
    })
}

fn measure(clock: &Clock, plan: &Plan, caller: &mut impl Caller, watch: Watch<'_>) -> io::Result<Sample> {
    let mut last = 0u32;
    let mut ask = |_| {
        last = if last == STOP - 1 { 1 } else { last + 1 };
        let answer = caller.call(last)?;
        if answer == last {
            Ok(())
        } else {
            Err(wrong(last, answer))
        }
    };
    pace::run(clock, Pace::Closed, plan.warm_up, &mut ask)?;
    sample::take(clock, plan.pace, plan.measured, watch, ask)
}

#[cold]
fn wrong(asked: u32, answer: u32) -> io::Error {
    io::Error::other(format!(
        "asked {asked} and was answered {answer}: a hand-off was lost or doubled"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Placement, allowed, seats};
    use std::time::Duration;

    fn plan(ops: u64) -> Plan {
        let bounds = |ops| Bounds {
            ops,
            time: Duration::from_secs(20),
        };
        Plan {
            seats: seats(Placement::Same).unwrap(),
            warm_up: bounds(3),
            measured: bounds(ops),
            pace: Pace::Closed,
            count: true,
        }
    }

    struct Channel(mpsc::Sender<u32>, mpsc::Receiver<u32>);

    impl Caller for Channel {
        fn call(&mut self, number: u32) -> io::Result<u32> {
            self.0.send(number).map_err(io::Error::other)?;
            self.1.recv().map_err(io::Error::other)
        }
    }

    /// Answers after applying a function.
    struct Answers<F>(mpsc::Receiver<u32>, mpsc::Sender<u32>, F);

    impl<F: Fn(u32) -> Option<u32> + Send> Answerer for Answers<F> {
        fn serve(&mut self) -> io::Result<()> {
            while let Ok(number) = self.0.recv() {
                let answer = (self.2)(number).ok_or(io::ErrorKind::BrokenPipe)?;
                self.1.send(answer).map_err(io::Error::other)?;
            }
            Ok(())
        }
    }

    fn channels<F>(f: F) -> (Channel, Answers<F>) {
        let (ask, asked) = mpsc::channel();
        let (answer, answered) = mpsc::channel();
        (Channel(ask, answered), Answers(asked, answer, f))
    }

    #[test]
    fn both_sides_are_accounted_for() {
        let before = allowed();
        let (caller, answerer) = channels(Some);
        let sample = run(&Clock::new(), &plan(50), caller, answerer, &|| Some(7)).unwrap();
        assert_eq!(sample.paced.histogram.count(), 50);
        // On one CPU each hand-off needs a switch there and one back.
        assert!(sample.caller.switches().unwrap() >= 50, "{sample:?}");
        assert!(sample.answerer.switches().unwrap() >= 50, "{sample:?}");
        assert!(sample.counts.is_some());
        assert_eq!(
            sample.calls,
            Some(0),
            "none between two readings of the same count"
        );
        assert_eq!(allowed(), before, "the thread is as free as before");
    }

    #[test]
    fn a_wrong_answer_is_an_error() {
        let (caller, answerer) = channels(|number| Some(if number == 10 { 9 } else { number }));
        let error = run(&Clock::new(), &plan(50), caller, answerer, &|| Some(7)).unwrap_err();
        assert!(
            error.to_string().contains("asked 10 and was answered 9"),
            "{error}"
        );
    }

    #[test]
    fn a_side_that_leaves_is_an_error_and_no_hang() {
        let (caller, answerer) = channels(|number| (number < 10).then_some(number));
        run(&Clock::new(), &plan(50), caller, answerer, &|| Some(7)).unwrap_err();
    }

    #[test]
    fn a_cpu_that_does_not_exist_is_an_error() {
        let (caller, answerer) = channels(Some);
        let mut plan = plan(1);
        plan.seats.answerer = 1_000;
        run(&Clock::new(), &plan, caller, answerer, &|| Some(7)).unwrap_err();
    }
}
