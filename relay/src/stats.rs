// SPDX-License-Identifier: MIT
//! What one end of a slot has done. Its owner counts; anybody may read at any time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters of one end, on cache lines of their own. Relaxed throughout: each has one writer and
/// orders nothing.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Stats {
    handoffs: AtomicU64,
    polls: AtomicU64,
    yields: AtomicU64,
    parks: AtomicU64,
    wakes: AtomicU64,
    timeouts: AtomicU64,
}

/// What the counters showed when they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Messages received.
    pub handoffs: u64,
    /// Looks at a word that showed nothing, beyond the first of each wait.
    pub polls: u64,
    /// Times the CPU was given away without leaving the run queue (`sched_yield`).
    pub yields: u64,
    /// Blocking system calls: times this end slept, or would have but for a late publication.
    pub parks: u64,
    /// Waking system calls: times the other side's bell was rung.
    pub wakes: u64,
    /// Waits that ended at their deadline.
    pub timeouts: u64,
}

impl Stats {
    /// Counts one message received.
    pub fn handoff(&self) {
        add(&self.handoffs, 1);
    }
    pub(crate) fn polls(&self, count: u64) {
        add(&self.polls, count);
    }
    pub(crate) fn yielded(&self) {
        add(&self.yields, 1);
    }
    /// Counts one blocking call.
    pub fn park(&self) {
        add(&self.parks, 1);
    }
    pub(crate) fn wake(&self) {
        add(&self.wakes, 1);
    }
    pub(crate) fn timeout(&self) {
        add(&self.timeouts, 1);
    }

    /// All counters now; not of one instant.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            handoffs: self.handoffs.load(Relaxed),
            polls: self.polls.load(Relaxed),
            yields: self.yields.load(Relaxed),
            parks: self.parks.load(Relaxed),
            wakes: self.wakes.load(Relaxed),
            timeouts: self.timeouts.load(Relaxed),
        }
    }
}

/// There is one writer, so an addition need not be one atomic operation.
#[inline]
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}
