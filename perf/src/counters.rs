// SPDX-License-Identifier: MIT
//! What perf-event counts of a task. Each counter is optional: virtual machines often have neither
//! cycles nor instructions, containers often no counters at all, and then a figure is `None`.
//!
//! Counting costs some hundred nanoseconds at each context switch, so experiments count in a round
//! of its own, whose times are thrown away.

use perf_event::events::{Event, Hardware, Software};
use perf_event::{Builder, Counter};
use serde::{Deserialize, Serialize};

use crate::usage::Task;

/// Figures for some tasks, user and kernel; `None` is "not counted here".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Context switches.
    pub context_switches: Option<u64>,
    /// Moves to another CPU.
    pub migrations: Option<u64>,
    /// CPU cycles.
    pub cycles: Option<u64>,
    /// Instructions.
    pub instructions: Option<u64>,
}

/// Counters that run on some tasks from when they are made.
#[derive(Debug)]
pub struct Counters {
    context_switches: Option<Vec<Counter>>,
    migrations: Option<Vec<Counter>>,
    cycles: Option<Vec<Counter>>,
    instructions: Option<Vec<Counter>>,
}

impl Counters {
    /// Starts to count the threads that these tasks have now.
    pub fn start(tasks: &[Task]) -> Self {
        let threads: Vec<i32> = tasks.iter().flat_map(|task| task.threads()).collect();
        Self {
            context_switches: open(Software::CONTEXT_SWITCHES.into(), &threads),
            migrations: open(Software::CPU_MIGRATIONS.into(), &threads),
            cycles: open(Hardware::CPU_CYCLES.into(), &threads),
            instructions: open(Hardware::INSTRUCTIONS.into(), &threads),
        }
    }

    /// What was counted until now.
    pub fn read(&mut self) -> Counts {
        Counts {
            context_switches: sum(&mut self.context_switches),
            migrations: sum(&mut self.migrations),
            cycles: sum(&mut self.cycles),
            instructions: sum(&mut self.instructions),
        }
    }
}

/// One running counter a thread, or `None` if any of them cannot be had: a sum over some of the
/// threads would look like a figure and be none.
fn open(event: Event, threads: &[i32]) -> Option<Vec<Counter>> {
    let counters: Option<Vec<Counter>> = threads
        .iter()
        .map(|&tid| {
            let mut builder = Builder::new().kind(event.clone()).observe_pid(tid);
            builder.attrs_mut().set_exclude_kernel(0);
            let mut counter = builder.build().ok()?;
            counter.enable().ok()?;
            Some(counter)
        })
        .collect();
    counters.filter(|counters| !counters.is_empty())
}

/// The sum, or `None` if one of them never ran (the hardware had no room for it).
fn sum(counters: &mut Option<Vec<Counter>>) -> Option<u64> {
    counters.as_mut()?.iter_mut().try_fold(0u64, |sum, counter| {
        let read = counter.read_count_and_time().ok()?;
        (read.time_running >= read.time_enabled).then_some(sum + read.count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_counted_is_plausible_and_the_rest_is_none() {
        let mut counters = Counters::start(&[Task::current_thread()]);
        for _ in 0..4 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let counts = counters.read();
        if let Some(switches) = counts.context_switches {
            assert!(switches >= 4, "{counts:?}");
        }
        if let Some(instructions) = counts.instructions {
            assert!(instructions > 100, "{counts:?}");
        }
    }

    #[test]
    fn nobody_counts_nothing() {
        assert_eq!(Counters::start(&[]).read(), Counts::default());
        assert_eq!(
            Counters::start(&[Task::Process(i32::MAX)]).read(),
            Counts::default()
        );
    }
}
