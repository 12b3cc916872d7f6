// SPDX-License-Identifier: MIT
//! Bugs planted for the model checker and the stress test, which count only once they have been seen
//! to find them. In test builds and under `cfg(loom)` alone.

use crate::futex::{Futex, Scope};
use crate::points;
use crate::state::{ANNOUNCED, Word};
use core::sync::atomic::Ordering::{Relaxed, Release};
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
    // loom runs all threads of a model on one thread of the system; the stress test plants in each.
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Runs `model` with `bug` in the moves that this thread makes.
pub fn with<R>(bug: Bug, model: impl FnOnce() -> R) -> R {
    struct Dig;
    impl Drop for Dig {
        fn drop(&mut self) {
            PLANTED.set(None);
        }
    }
    PLANTED.set(Some(bug));
    let _dig = Dig;
    model()
}

pub(crate) fn publish(word: &Futex, next: Word) -> Option<Word> {
    match PLANTED.get()? {
        Bug::PublishRelaxed => Some(Word::from_bits(word.swap(next.bits(), Relaxed))),
        Bug::PublishInTwoSteps => {
            let old = word.load(Relaxed);
            points::at("planted: between the two");
            word.store(next.bits(), Release);
            Some(Word::from_bits(old))
        }
        Bug::ClearLate => {
            let old = word.swap(next.bits(), Release);
            if old & ANNOUNCED != 0 {
                word.wake(Scope::Private);
                points::at("planted: woken");
                word.store(next.bits(), Release);
            }
            // Woken already.
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
