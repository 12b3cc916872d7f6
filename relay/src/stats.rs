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
    /// Waits that are still barred from yielding: what the strategy `yield` remembers.
    barred: AtomicU64,
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
    /// Counts a yield, and bars the next `waits` from it.
    pub(crate) fn yielded(&self, waits: u64) {
        add(&self.yields, 1);
        if waits > 0 {
            self.barred.store(waits, Relaxed);
        }
    }
    /// Whether this wait may not yield; asked once a wait.
    pub(crate) fn is_barred(&self) -> bool {
        let left = self.barred.load(Relaxed);
        if left > 0 {
            self.barred.store(left - 1, Relaxed);
        }
        left > 0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_for_as_many_waits_as_it_says() {
        let stats = Stats::default();
        let barred = || (0..).take_while(|_| stats.is_barred()).count() as u64;
        assert_eq!(barred(), 0);
        stats.yielded(16);
        assert_eq!(barred(), 16);
        stats.yielded(0);
        assert_eq!(barred(), 0);
        assert_eq!(stats.snapshot().yields, 2);
    }
}
