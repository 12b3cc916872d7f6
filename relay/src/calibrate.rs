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

/// The cost of a round trip through two sleeping threads: how long it can pay to spin before
/// sleeping. The median: a busy machine has trips far too long (a thread waits for its turn) and far
/// too short (its CPU was kept from halting), and a window too short is worse than one too long.
/// Across two CPUs where this thread may use two (the only placement in which anybody spins), else on
/// the one: so call it before pinning. Takes at most 50 ms; moves no thread but its own two.
pub fn window() -> Duration {
    let cpus = cpu::allowed();
    let (here, there) = (cpus[0], cpus[cpus.len() - 1]);
    let mut trips = round_trips(here, there);
    trips.sort_unstable();
    let median = trips.get(trips.len() / 2).copied().unwrap_or(BOUNDS.1);
    median.clamp(BOUNDS.0, BOUNDS.1)
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
    fn one_cpu_is_enough() {
        let one = std::thread::spawn(|| {
            cpu::pin(cpu::allowed()[0]).unwrap();
            window()
        });
        assert!(one.join().unwrap() <= BOUNDS.1);
    }
}
