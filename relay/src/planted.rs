// SPDX-License-Identifier: MIT
//! Bugs planted for the model checker, which counts only once it has been seen to find them. Under
//! `cfg(loom)` alone.

use crate::futex::Futex;
use crate::state::{ANNOUNCED, Word};
use loom::sync::atomic::Ordering::{Relaxed, Release};
use std::cell::Cell;

/// A known way to get the hand-off wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The announcement is a plain store: no recheck before sleeping.
    AnnounceBlindly,
    /// The publication is Relaxed: the word may be seen before the message.
    PublishRelaxed,
    /// The publication is a load and a store: an announcement between the two is overwritten.
    PublishInTwoSteps,
    /// The announcement is cleared after the peer was woken, as in the original's relay: by then it
    /// may be the peer's next one.
    ClearLate,
}

thread_local! {
    // loom runs all threads of a model on one thread of the system.
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Runs `model` with `bug` in the moves.
pub fn with(bug: Bug, model: impl FnOnce()) {
    struct Dig;
    impl Drop for Dig {
        fn drop(&mut self) {
            PLANTED.set(None);
        }
    }
    PLANTED.set(Some(bug));
    let _dig = Dig;
    model();
}

pub(crate) fn publish(word: &Futex, next: Word) -> Option<Word> {
    match PLANTED.get()? {
        Bug::PublishRelaxed => Some(Word::from_bits(word.swap(next.bits(), Relaxed))),
        Bug::PublishInTwoSteps => {
            let old = word.load(Relaxed);
            word.store(next.bits(), Release);
            Some(Word::from_bits(old))
        }
        Bug::ClearLate => {
            // Publishes and leaves the announcement; wakes; clears. Nothing is left for the caller.
            let old = word.load(Relaxed);
            word.swap(next.bits() | old & ANNOUNCED, Release);
            if old & ANNOUNCED != 0 {
                word.wake(crate::futex::Scope::Private);
                word.store(next.bits(), Release);
            }
            Some(Word::from_bits(old).unannounced())
        }
        Bug::AnnounceBlindly => None,
    }
}

pub(crate) fn announce(word: &Futex, seen: Word) -> Option<bool> {
    (PLANTED.get()? == Bug::AnnounceBlindly).then(|| {
        word.store(seen.announced().bits(), Relaxed);
        true
    })
}
