// SPDX-License-Identifier: MIT
//! Hand-offs under everything that can come between: delays at every labelled point, migration,
//! signals, changes of policy, abandonment. None may be lost, none delivered twice.
//!
//! `RELAY_STRESS` sets the number of hand-offs of each test (default 350,000).

use crate::points::Delays;
use crate::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

fn hand_offs() -> u64 {
    let count = std::env::var("RELAY_STRESS").ok();
    count.map_or(350_000, |count| count.parse().expect("RELAY_STRESS is a number"))
}

/// A cheap random sequence.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % sides
    }
}

/// Moves this thread about, now and then.
fn wander(dice: &mut Dice, cpus: &[u32]) {
    match dice.roll(2000) {
        0 => {
            let cpu = cpus[dice.roll(cpus.len() as u64) as usize];
            cpu::pin(cpu).expect("a CPU that this thread may use");
        }
        1 => cpu::pin_to(cpus).expect("the CPUs that this thread may use"),
        _ => {}
    }
}

/// A thread that can be sent signals. Zero: not started, or gone.
#[derive(Default)]
struct Target(AtomicI32);

impl Target {
    /// This thread is the target for as long as the guard lives.
    fn enter(&self) -> impl Drop + '_ {
        struct Leave<'a>(&'a Target);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.0.store(0, Relaxed);
            }
        }
        self.0
            .store(rustix::thread::gettid().as_raw_nonzero().get(), Relaxed);
        Leave(self)
    }

    /// Interrupts whatever it does.
    fn disturb(&self) {
        let tid = self.0.load(Relaxed);
        if tid != 0 {
            // SAFETY: a signal whose handler does nothing, to a thread of this process; one that has
            // ended meanwhile is not found.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, libc::SIGUSR1) };
        }
    }
}

/// Lets SIGUSR1 interrupt system calls, and do nothing else.
fn take_signals() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: all zero is a valid `sigaction`: no flags (so calls are not restarted), empty mask; the
    // handler touches nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
}

/// While it runs, disturbs: changes the policy, sends signals, and aborts if nothing moves for a
/// minute.
fn disturb(policy: &Policy, targets: [&Target; 2], progress: &AtomicU64, done: &AtomicBool) {
    // Spinning with both sides on one CPU costs a time slice a turn: rare, or nothing gets done.
    let strategies = [
        Strategy::Hybrid,
        Strategy::Park,
        Strategy::Yield,
        Strategy::Waitqueue,
    ];
    let (mut dice, mut seen, mut moved) = (Dice(7), 0, Instant::now());
    while !done.load(Relaxed) {
        let strategy = strategies[dice.roll(4) as usize];
        policy.set_strategy(if dice.roll(40) == 0 {
            Strategy::Spin
        } else {
            strategy
        });
        policy.set_window(Duration::from_nanos(dice.roll(30_000)));
        for _ in 0..8 {
            std::thread::sleep(Duration::from_micros(250));
            targets[dice.roll(2) as usize].disturb();
        }
        let now = progress.load(Relaxed);
        if now != seen {
            (seen, moved) = (now, Instant::now());
        }
        if moved.elapsed() > Duration::from_secs(60) {
            eprintln!("lost: no hand-off for a minute after {now}; policy {policy:?}");
            std::process::abort();
        }
    }
}

/// Hands `count` operations over; each message carries its number and a checksum of it.
fn run(slot: SlotRef, bells: (Bell, Bell), count: u64, seed: u64) {
    let policy = Arc::new(Policy::new(Strategy::Hybrid, Duration::from_micros(20)));
    let mut client = Client::new(slot.clone(), policy.clone(), bells.0.clone(), bells.1.clone());
    let mut server = Server::new(slot, policy.clone(), bells.0, bells.1);
    let (progress, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let (client_thread, server_thread) = (Target::default(), Target::default());
    let cpus = &cpu::allowed();
    take_signals();
    let abandoned = std::thread::scope(|scope| {
        scope.spawn(|| disturb(&policy, [&client_thread, &server_thread], &progress, &done));
        let server_thread = &server_thread;
        let serving = scope.spawn(move || {
            let _target = server_thread.enter();
            let _delays = Delays::from_seed(seed);
            let mut dice = Dice(seed);
            let (mut last, mut served) = (0, 0u64);
            loop {
                wander(&mut dice, cpus);
                let request = match server.next(None) {
                    Ok(request) => request,
                    Err(why) => break assert_eq!(why, WaitError::Closed),
                };
                let number = u64::from_ne_bytes(request[..8].try_into().unwrap());
                assert!(number > last, "{number} delivered after {last}");
                last = number;
                served += 1;
                let sum = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                assert_eq!(request[8..16], sum.to_ne_bytes(), "a torn request");
                server
                    .reply(&[number, !number, sum].map(u64::to_ne_bytes).concat())
                    .unwrap();
            }
            served
        });
        let _target = client_thread.enter();
        let _delays = Delays::from_seed(seed ^ 0xabcd);
        let (mut dice, mut abandoned) = (Dice(seed ^ 1), 0);
        for number in 1..=count {
            wander(&mut dice, cpus);
            let sum = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            client
                .post(&[number, sum].map(u64::to_ne_bytes).concat())
                .unwrap();
            // One in 512 is given up at once or soon, and the slot reclaimed.
            let patience = Duration::from_micros(dice.roll(20));
            let deadline = (dice.roll(512) == 0).then(|| Instant::now() + patience);
            let reply = match client.wait(deadline) {
                Err(WaitError::TimedOut) => client.abandon().unwrap(),
                reply => Some(reply.unwrap()),
            };
            match reply {
                Some(reply) => {
                    let expected = [number, !number, sum].map(u64::to_ne_bytes).concat();
                    assert_eq!(reply.as_ref(), expected, "of operation {number}");
                }
                None => {
                    abandoned += 1;
                    client.reclaim(None).unwrap();
                }
            }
            progress.store(number, Relaxed);
        }
        client.close();
        let served = serving.join().unwrap();
        done.store(true, Relaxed);
        // Abandoned ones may have been served, or not.
        assert!(
            (count - abandoned..=count).contains(&served),
            "{served} of {count}, {abandoned} abandoned"
        );
        abandoned
    });
    assert!(abandoned > 0 || count < 10_000, "the test abandons some");
}

#[test]
fn no_hand_off_is_lost_in_private_memory() {
    run(
        SlotRef::private(),
        (Bell::futex(), Bell::futex()),
        hand_offs(),
        11,
    );
}

#[test]
fn no_hand_off_is_lost_in_shared_memory() {
    let memory = Arc::new(SharedMemory::create("relay-stress", 4096).unwrap());
    let slot = Slots::in_memory(memory, 256, 1).unwrap().get(0).unwrap();
    run(slot, (Bell::futex(), Bell::futex()), hand_offs(), 12);
}

#[test]
fn no_hand_off_is_lost_over_eventfds() {
    let bells = (
        Bell::new_eventfd().unwrap(),
        Bell::new_blocking_eventfd().unwrap(),
    );
    run(SlotRef::private(), bells, hand_offs(), 13);
}
