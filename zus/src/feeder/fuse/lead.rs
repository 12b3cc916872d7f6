// SPDX-License-Identifier: MIT
//! Who waits at the device.
//!
//! The kernel wakes a sleeper for each request, and several pollers melt one lock. So, unless all sleep,
//! one worker leads: it alone waits at the device. It gives the lead away when it has got a request and
//! takes it again when it comes back; another worker is called for it only if there is more to do than
//! the leader will soon come back for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

/// The lead. At most one worker has it, as long as one is needed.
#[derive(Debug, Default)]
pub(super) struct Lead {
    state: Mutex<State>,
    changed: Condvar,
    /// Workers that wait for it. Relaxed: changed under the lock; who reads it outside looks again soon.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    is_held: bool,
    has_ended: bool,
}

impl Lead {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Takes the lead, waiting for it as long as `is_needed`.
    pub(super) fn take(&self, is_needed: impl Fn() -> bool) {
        let mut state = self.state();
        while state.is_held && !state.has_ended && is_needed() {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(|poison| poison.into_inner());
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        state.is_held = true;
    }

    /// Gives the lead away; with `call`, wakes a worker to take it.
    pub(super) fn give(&self, call: bool) {
        self.state().is_held = false;
        if call && self.has_waiting() {
            self.changed.notify_one();
        }
    }

    /// Whether somebody waits for the lead.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// No lead is needed any more: all look again whether they need it.
    pub(super) fn dismiss(&self) {
        self.state().is_held = false;
        self.changed.notify_all();
    }

    /// Nothing will come any more: all go to the device to see for themselves.
    pub(super) fn end(&self) {
        self.state().has_ended = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn one_leads_until_it_calls_another() {
        let lead = Lead::default();
        lead.take(|| true);
        let led = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                lead.take(|| true);
                led.store(true, Ordering::Relaxed);
                lead.give(true);
            });
            while !lead.has_waiting() {
                std::thread::yield_now();
            }
            assert!(!led.load(Ordering::Relaxed));
            lead.give(true);
        });
        assert!(led.load(Ordering::Relaxed));
        lead.take(|| true); // it was given back
    }

    #[test]
    fn the_end_and_a_strategy_without_lead_let_all_pass() {
        let lead = Lead::default();
        let is_needed = AtomicBool::new(true);
        for finish in [0, 1] {
            lead.take(|| true);
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| lead.take(|| is_needed.load(Ordering::Relaxed)));
                }
                while lead.waiting.load(Ordering::Relaxed) < 3 {
                    std::thread::yield_now();
                }
                if finish == 0 {
                    is_needed.store(false, Ordering::Relaxed);
                    lead.dismiss();
                } else {
                    lead.end();
                }
            });
            is_needed.store(true, Ordering::Relaxed);
            lead.give(false);
        }
    }
}
