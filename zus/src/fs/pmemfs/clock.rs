// SPDX-License-Identifier: MIT
//! The present, as files show it.

use rustix::time::{ClockId, clock_gettime};

use crate::fs::Timestamp;

/// The present in microseconds: what a word changed in place can hold, so that a time is the same whichever
/// way it was stored. Coarse, as in other file systems: it moves with the kernel's tick.
pub fn now() -> Timestamp {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    Timestamp {
        sec: now.tv_sec,
        nsec: (now.tv_nsec / 1000 * 1000) as u32,
    }
}
