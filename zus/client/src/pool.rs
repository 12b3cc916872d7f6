// SPDX-License-Identifier: MIT
//! Things that many threads use and one at a time: each caller claims one, and gives it back.
//!
//! The claim of a free thing is one compare-and-swap, and so is giving it back. Things are taken from the
//! front, so that few callers use few things and their cache lines stay warm. When all are taken, callers
//! stand in line, and each thing given back goes to the first of them: nobody retries, nobody overtakes.
//!
//! **State.** One word: bit i says that thing i is free; [`WAITING`] that somebody stands in line. With
//! `WAITING`, no bit is free. Moves:
//!
//! | move | by | under the lock |
//! |---|---|---|
//! | take: free bit off | caller, if not `WAITING` | – |
//! | return: free bit on | holder, if not `WAITING` | – |
//! | queue: `WAITING` on | caller, if no bit is free | yes |
//! | hand over: no bit moves; `WAITING` off with the last in line | holder, if `WAITING` | yes |

#![allow(unsafe_code)] // hands out `&mut` to what the word says is the caller's

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

/// Somebody stands in line.
const WAITING: u64 = 1 << 63;

/// Most things in a pool.
pub const MAX: usize = 63;

/// Things to be claimed.
// A line of its own: callers on other CPUs use other pools.
#[repr(align(128))]
pub struct Pool<T> {
    word: AtomicU64,
    line: Mutex<VecDeque<Arc<Turn>>>,
    things: Box<[UnsafeCell<T>]>,
}

// SAFETY: a thing is reached only through a `Claim`, of which the word allows one at a time; so a shared
// pool moves things between threads (`Send`) and never shares one (`Sync` is not needed).
unsafe impl<T: Send> Sync for Pool<T> {}

/// A place in the line.
struct Turn {
    /// Which thing was handed over, or [`Turn::NOT_YET`].
    granted: AtomicU32,
    thread: Thread,
}

impl Turn {
    const NOT_YET: u32 = u32::MAX;
}

impl<T> Pool<T> {
    /// A pool of these, at least one and at most [`MAX`].
    pub fn new(things: Vec<T>) -> Self {
        assert!((1..=MAX).contains(&things.len()), "a pool of {}", things.len());
        Self {
            word: AtomicU64::new((1 << things.len()) - 1),
            line: Mutex::new(VecDeque::new()),
            things: things.into_iter().map(UnsafeCell::new).collect(),
        }
    }

    /// Claims a thing, waiting in line if none is free.
    #[inline]
    pub fn claim(&self) -> Claim<'_, T> {
        let index = match self.take() {
            Some(index) => index,
            None => self.queue(),
        };
        Claim { pool: self, index }
    }

    /// Takes the first free thing, unless others wait for one.
    #[inline]
    fn take(&self) -> Option<u32> {
        let mut word = self.word.load(Ordering::Relaxed); // a guess, the exchange decides
        while word & WAITING == 0 && word != 0 {
            // (A) Acquire: what the last holder did to the thing is visible. Partner: (B).
            match self.word.compare_exchange_weak(
                word,
                word & (word - 1),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(word.trailing_zeros()),
                Err(now) => word = now,
            }
        }
        None
    }

    /// Stands in line until a thing is handed over.
    #[cold]
    fn queue(&self) -> u32 {
        let turn = Arc::new(Turn {
            granted: AtomicU32::new(Turn::NOT_YET),
            thread: std::thread::current(),
        });
        {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            let mut word = self.word.load(Ordering::Relaxed);
            while word & WAITING == 0 {
                if let Some(index) = self.take() {
                    return index;
                }
                // Relaxed: publishes nothing but itself; the line is under the lock.
                match self
                    .word
                    .compare_exchange(0, WAITING, Ordering::Relaxed, Ordering::Relaxed)
                {
                    Ok(_) => break,
                    Err(now) => word = now,
                }
            }
            line.push_back(Arc::clone(&turn));
        }
        loop {
            // (C) Acquire: as (A), for a thing that was handed over. Partner: (D).
            match turn.granted.load(Ordering::Acquire) {
                Turn::NOT_YET => std::thread::park(),
                index => return index,
            }
        }
    }

    #[inline]
    fn give_back(&self, index: u32) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITING == 0 {
            // (B) Release: the next holder sees what we did to the thing. Partner: (A).
            match self.word.compare_exchange_weak(
                word,
                word | 1 << index,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.hand_over(index);
    }

    /// Gives a thing to the first in line.
    #[cold]
    fn hand_over(&self, index: u32) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(turn) = line.pop_front() else {
            // Another holder served the line before we had the lock. (B), as above.
            self.word.fetch_or(1 << index, Ordering::Release);
            return;
        };
        if line.is_empty() {
            self.word.fetch_and(!WAITING, Ordering::Relaxed);
        }
        drop(line);
        // (D) Release: as (B). Partner: (C).
        turn.granted.store(index, Ordering::Release);
        turn.thread.unpark();
    }
}

/// A thing that is the caller's until this is dropped.
pub struct Claim<'a, T> {
    pool: &'a Pool<T>,
    index: u32,
}

impl<T> Deref for Claim<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the bit of `index` is off since we took it, so no other claim has it.
        unsafe { &*self.pool.things[self.index as usize].get() }
    }
}

impl<T> DerefMut for Claim<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { &mut *self.pool.things[self.index as usize].get() }
    }
}

impl<T> Drop for Claim<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.pool.give_back(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_callers_use_few_things() {
        let pool = Pool::new(vec![0, 1, 2]);
        for _ in 0..3 {
            assert_eq!(*pool.claim(), 0);
        }
        let first = pool.claim();
        let second = pool.claim();
        assert_eq!((*first, *second), (0, 1));
        drop(first);
        assert_eq!(*pool.claim(), 0);
    }

    #[test]
    fn each_thing_is_one_callers_at_a_time() {
        const ROUNDS: u64 = 2000;
        for things in [1, 2, 3] {
            let pool = Pool::new(vec![0u64; things]);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        for i in 0..ROUNDS {
                            // Not atomic: lost if two had it at once.
                            let mut claim = pool.claim();
                            let seen = *claim;
                            if i % 64 == 0 {
                                std::thread::yield_now();
                            }
                            *claim = seen + 1;
                        }
                    });
                }
            });
            let claims: Vec<_> = (0..things).map(|_| pool.claim()).collect();
            assert_eq!(claims.iter().map(|c| **c).sum::<u64>(), 8 * ROUNDS);
        }
    }

    #[test]
    fn a_thing_goes_to_the_first_in_line() {
        let pool = Pool::new(vec![()]);
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let held = pool.claim();
            for i in 0..4 {
                let (pool, order) = (&pool, &order);
                scope.spawn(move || {
                    let _claim = pool.claim();
                    order.lock().unwrap().push(i);
                });
                // Each stands in line before the next comes.
                while pool.line.lock().unwrap().len() <= i {
                    std::thread::yield_now();
                }
            }
            drop(held);
        });
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
        assert_eq!(pool.word.load(Ordering::Relaxed), 1);
    }
}
