// SPDX-License-Identifier: MIT
//! Who waits at the device.
//!
//! The kernel wakes a sleeper for each request, also if a poller is faster, and several pollers melt one
//! lock. So one worker leads: it alone waits at the device. It gives the lead away when it has got a
//! request and takes it again when it comes back, which is mostly soon; so nobody is woken for it, unless
//!
//! - the leader **calls** somebody: there is more to do, or what it has got will take long;
//! - it **keeps** the lead for somebody: one who is in a better place;
//! - it is **away** longer than it thought: as long as there are requests, one of those who wait, the
//!   guard, looks up now and then whether the lead is held or was.
//!
//! When there are more requests than one worker can do there is a **crowd**: nobody leads, all sleep in the
//! kernel, which wakes one of them for each request, and none in vain. It ends when there were not more
//! requests than workers for a while.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// How often the guard looks up: a request that holds its worker up without warning holds up others for
/// twice this, at most.
const WATCH: Duration = Duration::from_millis(10);

/// So many looks in a row must show no more requests than workers for a crowd to end.
const CROWD: u32 = 4;

/// The lead. At most one worker has it.
#[derive(Debug, Default)]
pub(super) struct Lead {
    state: Mutex<State>,
    changed: Condvar,
    /// Workers that wait for it. Relaxed: changed under the lock; who reads it outside looks again soon.
    waiting: AtomicUsize,
    /// Looks until the crowd ends; 0: there is none. Relaxed: who sees it late leads, or does not, once more.
    crowd: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    is_held: bool,
    /// How often it was given away.
    given: u64,
    /// Somebody who waits is to take it.
    is_called: bool,
    /// Whom it is kept for: a worker on this CPU, one of those who wait.
    kept_for: Option<u32>,
    /// The CPUs of those who wait.
    waiting: Vec<u32>,
    /// One of those is the guard.
    is_guarded: bool,
    has_ended: bool,
}

impl State {
    fn is_free_for(&self, cpu: u32) -> bool {
        self.has_ended || !self.is_held && self.kept_for.is_none_or(|kept_for| kept_for == cpu)
    }

    /// Whether a worker on `cpu` that was woken is meant.
    fn is_meant(&self, cpu: u32) -> bool {
        self.is_free_for(cpu) && (self.has_ended || self.is_called || self.kept_for.is_some())
    }
}

impl Lead {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Takes the lead, for a worker on `cpu`. False if nobody leads: there is a crowd, or all has ended.
    pub(super) fn take(&self, cpu: u32) -> bool {
        if self.is_crowd() {
            return false;
        }
        let mut state = self.state();
        if !state.is_free_for(cpu) {
            state = self.wait(state, cpu);
        }
        if state.has_ended || self.is_crowd() {
            return false;
        }
        state.is_held = true;
        state.is_called = false;
        state.kept_for = None;
        true
    }

    #[cold]
    fn wait<'a>(&'a self, mut state: MutexGuard<'a, State>, cpu: u32) -> MutexGuard<'a, State> {
        state.waiting.push(cpu);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let mut is_idle = false;
        loop {
            let given = state.given;
            let is_guard = !state.is_guarded && !is_idle;
            let mut has_watched = false;
            if is_guard {
                state.is_guarded = true;
                let woken = self.changed.wait_timeout(state, WATCH);
                let (woken, timeout) = woken.unwrap_or_else(|poison| poison.into_inner());
                state = woken;
                state.is_guarded = false;
                has_watched = timeout.timed_out() && state.given == given;
            } else {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(|poison| poison.into_inner());
            }
            let is_away = has_watched && state.is_free_for(cpu);
            if is_away || state.is_meant(cpu) || self.is_crowd() {
                break;
            }
            // The leader waits too: until it has got something there is nothing to guard.
            is_idle = has_watched;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        if let Some(me) = state.waiting.iter().position(|&waiting| waiting == cpu) {
            state.waiting.swap_remove(me);
        }
        state
    }

    /// Gives the lead away; with `call`, to one of those who wait for it.
    pub(super) fn give(&self, call: bool) {
        let mut state = self.state();
        state.is_held = false;
        state.given += 1;
        state.is_called = call;
        let (is_kept, is_guarded) = (state.kept_for.is_some(), state.is_guarded);
        let anybody = !state.waiting.is_empty();
        drop(state);
        if is_kept {
            // All of them, since one cannot be chosen: it happens rarely.
            self.changed.notify_all();
        } else if anybody && (call || !is_guarded) {
            self.changed.notify_one();
        }
    }

    /// Keeps the lead, from whoever has it next, for a worker on `cpu`. False if none waits there.
    pub(super) fn keep_for(&self, cpu: u32) -> bool {
        let mut state = self.state();
        if !state.waiting.contains(&cpu) {
            return false;
        }
        state.kept_for = Some(cpu);
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Whether nobody leads because there is more to do than one worker can.
    pub(super) fn is_crowd(&self) -> bool {
        self.crowd.load(Ordering::Relaxed) > 0
    }

    /// A look showed whether there are more requests than workers.
    pub(super) fn looked(&self, has_more: bool) {
        if has_more {
            let was = self.crowd.swap(CROWD, Ordering::Relaxed);
            if was == 0 {
                // Under the lock, so that nobody goes to sleep between looking at it and this.
                drop(self.state());
                self.changed.notify_all();
            }
        } else {
            let less = |crowd: u32| crowd.checked_sub(1);
            let _ = self
                .crowd
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Whether somebody waits for the lead.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
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
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
    use std::thread::{self, Scope};
    use std::time::Instant;

    fn until(what: impl Fn() -> bool) {
        while !what() {
            thread::yield_now();
        }
    }

    /// Workers that wait for the lead, and give it away as soon as they have it, with a call.
    fn followers<'s, const N: usize>(
        scope: &'s Scope<'s, '_>,
        lead: &'s Lead,
        cpus: [u32; N],
    ) -> Receiver<u32> {
        let (led, seen) = channel();
        for cpu in cpus {
            let led = led.clone();
            scope.spawn(move || {
                if !lead.take(cpu) {
                    return; // all pass
                }
                let _ = led.send(cpu); // the test may have seen enough
                lead.give(true);
            });
        }
        until(|| lead.state().waiting.len() == N);
        seen
    }

    #[test]
    fn one_leads_until_it_calls_another() {
        let lead = Lead::default();
        lead.take(0);
        thread::scope(|scope| {
            let led = followers(scope, &lead, [1, 2]);
            for _ in 0..3 {
                lead.give(false);
                lead.take(0); // nobody else did
            }
            assert_eq!(led.recv_timeout(WATCH * 3), Err(RecvTimeoutError::Timeout));
            lead.give(true);
            let both = [led.recv().unwrap(), led.recv().unwrap()];
            assert!(both == [1, 2] || both == [2, 1]);
        });
    }

    #[test]
    fn a_lead_that_is_kept_is_taken_by_nobody_else() {
        let lead = Lead::default();
        assert!(!lead.keep_for(2), "nobody waits there");
        lead.take(0);
        thread::scope(|scope| {
            let led = followers(scope, &lead, [1, 2, 3]);
            assert!(lead.keep_for(2));
            lead.give(false);
            lead.take(0);
            assert_eq!(led.recv(), Ok(2));
            lead.give(true);
        });
    }

    #[test]
    fn a_leader_that_stays_away_is_replaced() {
        let lead = Lead::default();
        lead.take(0);
        thread::scope(|scope| {
            let led = followers(scope, &lead, [1, 2]);
            until(|| !lead.state().is_guarded); // nothing has happened: they sleep
            let given = Instant::now();
            lead.give(false);
            led.recv().unwrap();
            assert!(given.elapsed() >= WATCH);
        });
    }

    #[test]
    fn nobody_leads_in_a_crowd_and_at_the_end() {
        let lead = Lead::default();
        assert!(lead.take(0));
        thread::scope(|scope| {
            followers(scope, &lead, [1, 2, 3]);
            lead.looked(true);
        });
        assert!(!lead.take(0));
        lead.give(false);
        for _ in 0..CROWD {
            assert!(lead.is_crowd());
            lead.looked(false);
        }
        assert!(lead.take(0), "it is over");
        thread::scope(|scope| {
            followers(scope, &lead, [1, 2, 3]);
            lead.end();
        });
        assert!(!lead.take(0));
    }
}
