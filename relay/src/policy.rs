// SPDX-License-Identifier: MIT
//! How the ends of many slots wait: shared by them, read at each wait, changed while they run.

use crate::clock;
use crate::strategy::{self, Strategy};
use crate::wait::Wait;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A strategy and the window it may spin for. Relaxed throughout: a waiter that sees a change a
/// round late has waited one round in the old way, which is as right.
#[derive(Debug)]
pub struct Policy {
    strategy: AtomicU8,
    window_ns: AtomicU64,
}

impl Policy {
    /// Waits by `strategy`; `window` bounds the spinning of those that bound it
    /// (see [`calibrate::window`](crate::calibrate::window)).
    pub fn new(strategy: Strategy, window: Duration) -> Self {
        clock::warm_up();
        let policy = Self {
            strategy: AtomicU8::new(strategy as u8),
            window_ns: AtomicU64::new(0),
        };
        policy.set_window(window);
        policy
    }

    /// The strategy.
    #[inline]
    pub fn strategy(&self) -> Strategy {
        Strategy::from_index(self.strategy.load(Relaxed))
    }

    /// Changes the strategy, from the next round of each wait on. Who sleeps already goes on
    /// sleeping until it is woken, which every strategy does.
    pub fn set_strategy(&self, strategy: Strategy) {
        self.strategy.store(strategy as u8, Relaxed);
    }

    /// How long a waiter may spin.
    #[inline]
    pub fn window(&self) -> Duration {
        Duration::from_nanos(self.window_ns.load(Relaxed))
    }

    /// Changes the window.
    pub fn set_window(&self, window: Duration) {
        let ns = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        self.window_ns.store(ns, Relaxed);
    }

    /// Waits for the next item of `source`; `None` if `deadline` passed first. A spinning wait may
    /// notice a deadline some 10 µs late.
    #[inline]
    pub fn wait<W: Wait>(&self, source: &mut W, deadline: Option<Instant>) -> Option<W::Item> {
        // The baseline sleeps before it looks.
        if self.strategy() != Strategy::Waitqueue
            && let Some(item) = source.poll()
        {
            return Some(item);
        }
        self.wait_long(source, deadline)
    }

    #[inline(never)]
    fn wait_long<W: Wait>(&self, source: &mut W, deadline: Option<Instant>) -> Option<W::Item> {
        loop {
            let peer = source.peer();
            let item = match self.strategy() {
                Strategy::Waitqueue => strategy::waitqueue::round(source, deadline),
                Strategy::Park => strategy::park::round(source, deadline),
                Strategy::Yield => strategy::yield_once::round(source, peer, deadline),
                Strategy::Spin => strategy::spin::round(source),
                Strategy::Hybrid => strategy::hybrid::round(source, peer, self.window(), deadline),
            };
            if item.is_some() {
                return item;
            }
            if clock::has_passed(deadline) {
                source.stats().timeout();
                return None;
            }
        }
    }
}
