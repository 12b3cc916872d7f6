// SPDX-License-Identifier: MIT
//! The leanest hand-offs there are, as references: a bare spin on two cache lines, futex wake and
//! wait, a loop of `sched_yield`, and nothing at all, which prices the harness.
//!
//! All but the last share one promise: the number that [`call`](Caller::call) returns was written by
//! the answerer after it had read the caller's. Publishing is a Release exchange, learning an Acquire
//! load: the request's (A) with (B), the answer's (C) with (D). No pair of them needs more, since each
//! word has one writer and each side waits for the other's word only. An exchange and not a store,
//! because it fetches the line at once instead of leaving that to the store buffer: the references are
//! to be the leanest there are, and this one was never slower and often a tenth faster.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::mpsc::{self, Receiver, Sender};

use crossbeam_utils::CachePadded;

use crate::exchange::{Answerer, Caller, STOP};

/// Two blocks of 128 bytes, one for each direction, as a relay slot has them.
#[derive(Debug, Default)]
struct Blocks {
    request: CachePadded<AtomicU32>,
    answer: CachePadded<AtomicU32>,
    /// Blocking and waking system calls, by both sides.
    calls: CachePadded<AtomicU64>,
}

/// How a side waits until a word is no longer `old`, and what the other does to end that.
pub trait Way: Send {
    /// Waits; counts the blocking system calls that took.
    fn wait(word: &AtomicU32, old: u32, calls: &AtomicU64) -> u32;
    /// After the word was changed.
    fn wake(word: &AtomicU32, calls: &AtomicU64);
}

/// Spins: the floor of a hand-off across CPUs, two cache lines moved and nothing else done.
#[derive(Debug)]
pub struct Spin;

impl Way for Spin {
    #[inline(always)]
    fn wait(word: &AtomicU32, old: u32, _: &AtomicU64) -> u32 {
        loop {
            let now = word.load(Acquire); // (B), (D): with (A), (C)
            if now != old {
                return now;
            }
            std::hint::spin_loop();
        }
    }

    #[inline(always)]
    fn wake(_: &AtomicU32, _: &AtomicU64) {}
}

/// Sleeps on a futex at once and wakes always: what a plain program would write.
#[derive(Debug)]
pub struct Futex;

impl Way for Futex {
    fn wait(word: &AtomicU32, old: u32, calls: &AtomicU64) -> u32 {
        loop {
            let now = word.load(Acquire); // (B), (D): with (A), (C)
            if now != old {
                return now;
            }
            calls.fetch_add(1, Relaxed); // a statistic, read after the run
            atomic_wait::wait(word, old);
        }
    }

    fn wake(word: &AtomicU32, calls: &AtomicU64) {
        calls.fetch_add(1, Relaxed); // a statistic, read after the run
        atomic_wait::wake_one(word);
    }
}

/// Gives way without leaving the run queue: the floor on one CPU.
#[derive(Debug)]
pub struct Yield;

impl Way for Yield {
    fn wait(word: &AtomicU32, old: u32, _: &AtomicU64) -> u32 {
        loop {
            let now = word.load(Acquire); // (B), (D): with (A), (C)
            if now != old {
                return now;
            }
            std::thread::yield_now();
        }
    }

    fn wake(_: &AtomicU32, _: &AtomicU64) {}
}

/// One end of a pair over two words.
#[derive(Debug)]
pub struct End<W> {
    blocks: Arc<Blocks>,
    last: u32,
    way: PhantomData<W>,
}

/// Both ends of a fresh pair.
pub fn pair<W: Way>() -> (End<W>, End<W>) {
    let blocks = Arc::new(Blocks::default());
    let end = |blocks| End {
        blocks,
        last: 0,
        way: PhantomData,
    };
    (end(Arc::clone(&blocks)), end(blocks))
}

/// Tells how many blocking and waking system calls a pair has made.
#[derive(Clone, Debug)]
pub struct Calls(Arc<Blocks>);

impl Calls {
    /// Of both sides, until now.
    pub fn count(&self) -> u64 {
        self.0.calls.load(Relaxed) // a statistic: nothing is published by it
    }
}

impl<W> End<W> {
    /// The pair's count of calls, to be read while it runs.
    pub fn calls(&self) -> Calls {
        Calls(Arc::clone(&self.blocks))
    }
}

impl<W: Way> Caller for End<W> {
    #[inline(always)]
    fn call(&mut self, number: u32) -> io::Result<u32> {
        self.blocks.request.swap(number, Release); // (A): with (B)
        W::wake(&self.blocks.request, &self.blocks.calls);
        self.last = W::wait(&self.blocks.answer, self.last, &self.blocks.calls);
        Ok(self.last)
    }
}

impl<W: Way> Answerer for End<W> {
    fn serve(&mut self) -> io::Result<()> {
        while self.last != STOP {
            self.last = W::wait(&self.blocks.request, self.last, &self.blocks.calls);
            self.blocks.answer.swap(self.last, Release); // (C): with (D)
            W::wake(&self.blocks.answer, &self.blocks.calls);
        }
        Ok(())
    }
}

/// Hands nothing over: the price of the harness itself, which is in every other row too.
#[derive(Debug)]
pub struct Nothing(Option<Sender<Infallible>>);

/// The other side of [`Nothing`]: sleeps until the end.
#[derive(Debug)]
pub struct Nobody(Receiver<Infallible>);

/// Both ends of a hand-off that is none.
pub fn nothing() -> (Nothing, Nobody) {
    let (nothing, nobody) = mpsc::channel();
    (Nothing(Some(nothing)), Nobody(nobody))
}

impl Caller for Nothing {
    #[inline(always)]
    fn call(&mut self, number: u32) -> io::Result<u32> {
        if number == STOP {
            self.0 = None;
        }
        Ok(std::hint::black_box(number))
    }
}

impl Answerer for Nobody {
    fn serve(&mut self) -> io::Result<()> {
        // Nothing is ever sent: this ends when the other side has dropped its end.
        match self.0.recv() {
            Ok(never) => match never {},
            Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::cpu::{Placement, seats};
    use crate::exchange::{Plan, run};
    use crate::pace::{Bounds, Pace};
    use std::time::Duration;

    fn exchanged(placement: Placement, caller: impl Caller, answerer: impl Answerer) {
        // With one CPU the other placement has no seats: then there is nothing to try.
        let Some(seats) = seats(placement) else { return };
        let bounds = |ops| Bounds {
            ops,
            time: Duration::from_secs(20),
        };
        let plan = Plan {
            seats,
            warm_up: bounds(1),
            measured: bounds(20),
            pace: Pace::Closed,
            count: false,
        };
        let sample = run(&Clock::new(), &plan, caller, answerer, &|| None).unwrap();
        assert_eq!(sample.paced.histogram.count(), 20);
    }

    #[test]
    fn every_way_hands_over() {
        for placement in Placement::ALL {
            let (caller, answerer) = pair::<Futex>();
            exchanged(placement, caller, answerer);
            let (caller, answerer) = pair::<Yield>();
            exchanged(placement, caller, answerer);
            let (caller, answerer) = pair::<Spin>();
            exchanged(placement, caller, answerer);
            let (caller, answerer) = nothing();
            exchanged(placement, caller, answerer);
        }
    }

    #[test]
    fn each_direction_has_a_block_of_its_own() {
        let blocks = Blocks::default();
        let [request, answer] =
            [&*blocks.request, &*blocks.answer].map(|word| std::ptr::from_ref(word) as usize);
        assert!(request.abs_diff(answer) >= 128);
    }
}
