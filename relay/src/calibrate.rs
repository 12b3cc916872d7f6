// SPDX-License-Identifier: MIT
//! What sleeping and being woken costs on this machine.

use crate::cpu;
use crate::futex::{Futex, Scope};
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

/// How long a measurement may take.
const BUDGET: Duration = Duration::from_millis(40);
/// Round trips that are enough.
const ENOUGH: usize = 400;
/// Below and above, a measurement is not believed: a busy machine would else have waiters spin for
/// the time slices of others.
const BOUNDS: (Duration, Duration) = (Duration::from_micros(2), Duration::from_micros(100));

/// Round trips that are judged together.
const BATCH: usize = 50;

/// The cost of a round trip through two sleeping threads: how long it can pay to spin before
/// sleeping. The median of the best batch, so that what else the machine did meanwhile counts little.
/// Across two CPUs where this thread may use two (the only placement in which anybody spins), else on
/// the one: so call it before pinning. Takes at most 50 ms; moves no thread but its own two.
pub fn window() -> Duration {
    let cpus = cpu::allowed();
    let (here, there) = (cpus[0], cpus[cpus.len() - 1]);
    best_median(round_trips(here, there)).clamp(BOUNDS.0, BOUNDS.1)
}

/// The least median of a batch; the upper bound if nothing was measured.
fn best_median(mut trips: Vec<Duration>) -> Duration {
    let median = |batch: &mut [Duration]| {
        batch.sort_unstable();
        batch[batch.len() / 2]
    };
    let whole = trips.len().max(BATCH) / BATCH * BATCH;
    trips.truncate(whole);
    trips.chunks_mut(BATCH).map(median).min().unwrap_or(BOUNDS.1)
}

/// Hands a word to and fro between two threads that always sleep.
fn round_trips(here: u32, there: u32) -> Vec<Duration> {
    const STOP: u32 = u32::MAX;
    let (ball, back) = (&Futex::new(0), &Futex::new(0));
    let hand_over = |word: &Futex, turn| {
        word.swap(turn, Release);
        word.wake(Scope::Private);
    };
    let await_change = |word: &Futex, turn: u32| loop {
        let now = word.load(Acquire);
        if now != turn {
            return now;
        }
        word.wait(turn, Scope::Private, None);
    };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // Not being allowed to move is no reason to fail: the figure is then of this placement.
            let _ = cpu::pin(there);
            let mut turn = 0;
            while turn != STOP {
                turn = await_change(ball, turn);
                hand_over(back, turn);
            }
        });
        let measuring = scope.spawn(move || {
            let _ = cpu::pin(here);
            let mut trips = Vec::with_capacity(ENOUGH);
            let start = Instant::now();
            while trips.len() < ENOUGH && start.elapsed() < BUDGET {
                let turn = trips.len() as u32;
                let before = Instant::now();
                hand_over(ball, turn + 1);
                await_change(back, turn);
                trips.push(before.elapsed());
            }
            hand_over(ball, STOP);
            trips
        });
        measuring.join().unwrap_or_default()
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_within_its_bounds() {
        let window = window();
        assert!((BOUNDS.0..=BOUNDS.1).contains(&window), "{window:?}");
    }

    #[test]
    fn a_busy_spell_does_not_count() {
        let quiet = [Duration::from_micros(40); BATCH];
        let busy = [Duration::from_micros(400); BATCH];
        assert_eq!(best_median([busy, quiet, busy].concat()), quiet[0]);
        // What is left of a batch is too little to judge by, unless there is no more.
        assert_eq!(best_median([&busy[..], &quiet[..3]].concat()), busy[0]);
        assert_eq!(best_median(quiet[..3].to_vec()), quiet[0]);
        assert_eq!(best_median(Vec::new()), BOUNDS.1);
    }

    #[test]
    fn one_cpu_is_enough() {
        let one = std::thread::spawn(|| {
            cpu::pin(cpu::allowed()[0]).unwrap();
            window()
        });
        assert!(one.join().unwrap() <= BOUNDS.1);
    }
}
