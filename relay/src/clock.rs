// SPDX-License-Identifier: MIT
//! Two clocks: a cheap one that a spinning waiter can ask often (the CPU's time stamp counter where
//! it is sound), and deadlines in [`Instant`]s.

use rustix::time::Timespec;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static CLOCK: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);

/// A moment on the cheap clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick(u64);

impl Tick {
    #[inline]
    pub(crate) fn now() -> Self {
        Self(CLOCK.raw())
    }

    /// Nanoseconds from then to now; 0 if the counter warped backwards on the way to another CPU.
    ///
    /// In a model every wait has lasted long: loom replays executions, and what a busy machine's clock
    /// says would be another each time.
    #[inline]
    pub(crate) fn elapsed_ns(self) -> u64 {
        if cfg!(loom) {
            return u64::MAX;
        }
        CLOCK.delta_as_nanos(self.0, CLOCK.raw())
    }
}

/// Calibrates the cheap clock now (some 10 ms, once a process) rather than in the first wait.
pub(crate) fn warm_up() {
    LazyLock::force(&CLOCK);
}

/// What is left until `deadline`, for a system call; `None` if nothing is.
pub(crate) fn until(deadline: Instant) -> Option<Timespec> {
    let left = deadline.saturating_duration_since(Instant::now());
    (left > Duration::ZERO).then(|| Timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    })
}

/// Whether `deadline` has passed.
#[inline]
pub(crate) fn has_passed(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}
