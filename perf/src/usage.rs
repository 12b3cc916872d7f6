// SPDX-License-Identifier: MIT
//! What a thread or a process has used: CPU time to the nanosecond, and context switches. Also of
//! others, such as the server, since the kernel keeps both for everybody to read.
//!
//! A *voluntary* switch is one where the task went to sleep; all others, `sched_yield` included, the
//! kernel counts as involuntary.

use std::fs;
use std::iter::Sum;
use std::ops::{Add, Sub};

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::{Pid, gettid};
use serde::{Deserialize, Serialize};

/// An amount used; what could not be read is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time, user and system, in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Switches away because the task slept.
    pub voluntary: Option<u64>,
    /// Switches away although it could have gone on.
    pub involuntary: Option<u64>,
}

/// Whose usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// One thread of this process, by its thread id.
    Thread(i32),
    /// All threads of a process: this one or another.
    Process(i32),
}

impl Task {
    /// The calling thread.
    pub fn current_thread() -> Self {
        Self::Thread(gettid().as_raw())
    }

    /// The thread ids that belong to it now.
    pub fn threads(self) -> Vec<i32> {
        match self {
            Self::Thread(tid) => vec![tid],
            Self::Process(pid) => fs::read_dir(format!("/proc/{pid}/task"))
                .map(|entries| {
                    entries
                        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
                        .collect()
                })
                .unwrap_or_default(),
        }
    }

    /// What it has used since it began.
    pub fn usage(self) -> Usage {
        Usage {
            cpu_ns: self.cpu_ns(),
            ..self.switches()
        }
    }

    /// Its switches alone; those of threads that have ended are not in it. Reads files of /proc: takes
    /// long enough for a waiting peer to go to sleep.
    pub fn switches(self) -> Usage {
        match self {
            Self::Thread(tid) => switches(&format!("/proc/self/task/{tid}/status")),
            Self::Process(pid) => {
                let of = |tid| switches(&format!("/proc/{pid}/task/{tid}/status"));
                let sum = |a: Usage, b: Usage| Usage {
                    cpu_ns: None,
                    ..a + b
                };
                self.threads().into_iter().map(of).reduce(sum).unwrap_or_default()
            }
        }
    }

    /// CPU time from the task's own clock, which is exact while it runs; the accounts in /proc are
    /// only brought up to date at the tick.
    pub fn cpu_ns(self) -> Option<u64> {
        let clock = match self {
            Self::Process(pid) => clock_getcpuclockid(Pid::from_raw(id(pid)?)).ok()?,
            Self::Thread(tid) => thread_clock(id(tid)?),
        };
        let time = clock_gettime(clock).ok()?;
        let seconds = u64::try_from(time.tv_sec()).ok()?;
        Some(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec()).ok()?)
    }
}

/// An id that a task can have: clock ids hold no larger ones, and 0 would mean oneself.
fn id(id: i32) -> Option<i32> {
    const PID_MAX_LIMIT: i32 = 4 << 20;
    (1..=PID_MAX_LIMIT).contains(&id).then_some(id)
}

/// The id of a thread's CPU clock. The C library names one only for the threads that it knows by
/// `pthread_t`; the encoding is the kernel's ABI (`CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED`).
fn thread_clock(tid: i32) -> ClockId {
    ClockId::from_raw((!tid << 3) | 4 | 2)
}

/// The switches that a status file of /proc counts.
fn switches(status: &str) -> Usage {
    let Ok(text) = fs::read_to_string(status) else {
        return Usage::default();
    };
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
    };
    Usage {
        cpu_ns: None,
        voluntary: field("voluntary_ctxt_switches"),
        involuntary: field("nonvoluntary_ctxt_switches"),
    }
}

impl Usage {
    /// Switches of both kinds.
    pub fn switches(&self) -> Option<u64> {
        Some(self.voluntary? + self.involuntary?)
    }

    fn zip(self, other: Self, op: impl Fn(u64, u64) -> u64) -> Self {
        let both = |a: Option<u64>, b: Option<u64>| Some(op(a?, b?));
        Self {
            cpu_ns: both(self.cpu_ns, other.cpu_ns),
            voluntary: both(self.voluntary, other.voluntary),
            involuntary: both(self.involuntary, other.involuntary),
        }
    }
}

impl Add for Usage {
    type Output = Self;

    /// Together; unknown if either is.
    fn add(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }
}

impl Sub for Usage {
    type Output = Self;

    /// From an earlier reading to this one; a thread that has ended since does not make it negative.
    fn sub(self, earlier: Self) -> Self {
        self.zip(earlier, u64::saturating_sub)
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.reduce(Add::add).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_sleep_is_a_voluntary_switch() {
        let me = Task::current_thread();
        let before = me.usage();
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let used = me.usage() - before;
        assert!(used.voluntary.unwrap() >= 3, "{used:?}");
    }

    #[test]
    fn another_thread_is_read_while_it_runs() {
        let (send, tid) = std::sync::mpsc::channel();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                send.send(Task::current_thread()).unwrap();
                // Relaxed: nothing but the flag itself is passed on.
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            let other = tid.recv().unwrap();
            let before = other.cpu_ns().unwrap();
            // It wants a CPU; when it gets one is up to the machine.
            let mut used = 0;
            for _ in 0..2_000 {
                std::thread::sleep(Duration::from_millis(10));
                used = other.cpu_ns().unwrap() - before;
                if used > 0 {
                    break;
                }
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(used > 0);
        });
    }

    #[test]
    fn a_process_has_at_least_what_its_thread_has() {
        let process = Task::Process(std::process::id() as i32);
        let thread = Task::current_thread().usage();
        let all = process.usage();
        assert!(all.cpu_ns.unwrap() >= thread.cpu_ns.unwrap());
        assert!(process.threads().contains(&gettid().as_raw()));
    }

    #[test]
    fn who_does_not_exist_has_no_figures() {
        assert_eq!(Task::Process(i32::MAX).usage(), Usage::default());
        assert_eq!(Task::Thread(i32::MAX).usage(), Usage::default());
    }

    #[test]
    fn the_unknown_stays_unknown() {
        let known = Usage {
            cpu_ns: Some(5),
            voluntary: Some(1),
            involuntary: Some(2),
        };
        assert_eq!((known + Usage::default()).cpu_ns, None);
        assert_eq!((known - known).switches(), Some(0));
    }
}
