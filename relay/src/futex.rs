// SPDX-License-Identifier: MIT
//! An atomic word that a thread can sleep on: the system call, alone.

use std::time::Instant;

/// Who may sleep on a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Threads of this process.
    Private,
    /// Any process that maps the memory.
    #[cfg_attr(loom, expect(dead_code, reason = "loom knows no shared memory"))]
    Shared,
}

#[cfg(not(loom))]
mod os {
    use super::{Instant, Scope};
    use core::sync::atomic::{AtomicU32, Ordering};
    use rustix::thread::futex::{self, Flags};

    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct Futex(AtomicU32);

    impl Scope {
        fn flags(self) -> Flags {
            match self {
                Scope::Private => Flags::PRIVATE,
                Scope::Shared => Flags::empty(),
            }
        }
    }

    impl Futex {
        pub(crate) const fn new(bits: u32) -> Self {
            Self(AtomicU32::new(bits))
        }

        #[inline]
        pub(crate) fn load(&self, order: Ordering) -> u32 {
            self.0.load(order)
        }

        #[cfg(test)]
        pub(crate) fn store(&self, bits: u32, order: Ordering) {
            self.0.store(bits, order)
        }

        #[inline]
        pub(crate) fn swap(&self, bits: u32, order: Ordering) -> u32 {
            self.0.swap(bits, order)
        }

        pub(crate) fn fetch_or(&self, bits: u32, order: Ordering) -> u32 {
            self.0.fetch_or(bits, order)
        }

        #[inline]
        pub(crate) fn compare_exchange(&self, from: u32, to: u32, order: Ordering) -> bool {
            // A failure tells only *that* the word changed; the caller looks again with (B).
            self.0
                .compare_exchange(from, to, order, Ordering::Relaxed)
                .is_ok()
        }

        /// Sleeps while the word is `expected`, until woken or `deadline`, or less: a signal or a
        /// stray wake also end it.
        #[cold]
        pub(crate) fn wait(&self, expected: u32, scope: Scope, deadline: Option<Instant>) {
            let left = match deadline.map(crate::clock::until) {
                Some(None) => return,
                left => left.flatten(),
            };
            // Changed, interrupted, timed out, woken: the caller looks at the word in any case.
            let _ = futex::wait(&self.0, scope.flags(), expected, left.as_ref());
        }

        /// Wakes the one that sleeps on the word, if any.
        #[cold]
        pub(crate) fn wake(&self, scope: Scope) {
            // Fails only where the word is not mapped, and it is.
            let _ = futex::wake(&self.0, scope.flags(), 1);
        }
    }
}

#[cfg(loom)]
mod os {
    use super::{Instant, Scope};
    use loom::sync::atomic::{AtomicU32, Ordering};
    use loom::sync::{Condvar, Mutex};

    /// The kernel's futex, modelled: the comparison happens under the lock that a waker takes.
    #[derive(Debug)]
    pub(crate) struct Futex {
        word: AtomicU32,
        bucket: Mutex<()>,
        sleeper: Condvar,
    }

    impl Futex {
        pub(crate) fn new(bits: u32) -> Self {
            Self {
                word: AtomicU32::new(bits),
                bucket: Mutex::new(()),
                sleeper: Condvar::new(),
            }
        }

        pub(crate) fn load(&self, order: Ordering) -> u32 {
            self.word.load(order)
        }

        pub(crate) fn store(&self, bits: u32, order: Ordering) {
            self.word.store(bits, order)
        }

        pub(crate) fn swap(&self, bits: u32, order: Ordering) -> u32 {
            self.word.swap(bits, order)
        }

        pub(crate) fn fetch_or(&self, bits: u32, order: Ordering) -> u32 {
            self.word.fetch_or(bits, order)
        }

        pub(crate) fn compare_exchange(&self, from: u32, to: u32, order: Ordering) -> bool {
            self.word
                .compare_exchange(from, to, order, Ordering::Relaxed)
                .is_ok()
        }

        /// Time does not pass in the model: a deadline is not kept.
        pub(crate) fn wait(&self, expected: u32, _scope: Scope, _deadline: Option<Instant>) {
            let bucket = self.bucket.lock().unwrap();
            if self.word.load(Ordering::SeqCst) == expected {
                drop(self.sleeper.wait(bucket).unwrap());
            }
        }

        pub(crate) fn wake(&self, _scope: Scope) {
            drop(self.bucket.lock().unwrap());
            self.sleeper.notify_one();
        }
    }
}

pub(crate) use os::Futex;
