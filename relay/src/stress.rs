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
        std::thread::sleep(Duration::from_micros(500));
        let now = progress.load(Relaxed);
        if now != seen {
            (seen, moved) = (now, Instant::now());
            // Only while things move: a signal ends a sleep, and would hide that its wake was lost.
            if dice.roll(4) == 0 {
                targets[dice.roll(2) as usize].disturb();
            }
        }
        if moved.elapsed() > Duration::from_secs(60) {
            eprintln!("lost: no hand-off for a minute after {now}; policy {policy:?}");
            std::process::abort();
        }
    }
}

/// Hands `count` operations over; each message carries its number and a checksum of it. False if one
/// got lost, which ends a test of the relay and is what a test of the test is after.
fn run(slot: SlotRef, bells: (Bell, Bell), count: u64, seed: u64, test: Test) -> bool {
    let policy = Arc::new(Policy::new(Strategy::Hybrid, Duration::from_micros(20)));
    let client = Client::new(slot.clone(), policy.clone(), bells.0.clone(), bells.1.clone());
    let server = Server::new(slot, policy.clone(), bells.0, bells.1);
    let (progress, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let (client_thread, server_thread) = (Target::default(), Target::default());
    take_signals();
    std::thread::scope(|scope| {
        scope.spawn(|| disturb(&policy, [&client_thread, &server_thread], &progress, &done));
        let serving = scope.spawn(|| {
            let _target = server_thread.enter();
            let _delays = Delays::from_seed(seed);
            test.plant(|| serve(server, seed, test))
        });
        let _target = client_thread.enter();
        let _delays = Delays::from_seed(seed ^ 0xabcd);
        let driven = test.plant(|| drive(client, count, seed ^ 1, test, &progress));
        let served = serving.join().unwrap();
        done.store(true, Relaxed);
        let (Some(abandoned), Some(served)) = (driven, served) else {
            return false;
        };
        // Abandoned ones may have been served, or not.
        assert!(
            (count - abandoned..=count).contains(&served),
            "{served} of {count}, {abandoned} abandoned"
        );
        assert!(abandoned > 0 || count < 10_000, "the test abandons some");
        true
    })
}

/// What a run is for.
#[derive(Clone, Copy)]
enum Test {
    /// The relay: nobody gives up, for a deadline would hide a lost wake.
    Relay,
    /// The stress test itself: it must find this.
    Bug(planted::Bug),
}

impl Test {
    fn plant<R>(self, run: impl FnOnce() -> R) -> R {
        match self {
            Self::Relay => run(),
            Self::Bug(bug) => planted::with(bug, run),
        }
    }

    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Relay => None,
            Self::Bug(_) => Some(Instant::now() + Duration::from_millis(500)),
        }
    }

    /// Whether what came, came so late that a wake was lost on the way.
    fn is_late(self, deadline: Option<Instant>) -> bool {
        matches!(self, Self::Bug(_)) && deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

fn checksum(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Serves until the client leaves; how many, or `None` if the test found its bug.
fn serve(mut server: Server, seed: u64, test: Test) -> Option<u64> {
    let (mut dice, cpus) = (Dice(seed), cpu::allowed());
    let (mut last, mut served) = (0, 0u64);
    loop {
        wander(&mut dice, &cpus);
        let deadline = test.deadline();
        let request = match server.next(deadline) {
            Ok(_) if test.is_late(deadline) => return None,
            Ok(request) => request,
            Err(WaitError::Closed) => return Some(served),
            Err(why) => return test.found(why),
        };
        let number = u64::from_ne_bytes(request[..8].try_into().unwrap());
        assert!(number > last, "{number} delivered after {last}");
        last = number;
        served += 1;
        assert_eq!(request[8..16], checksum(number).to_ne_bytes(), "a torn request");
        let reply = [number, !number, checksum(number)].map(u64::to_ne_bytes).concat();
        if let Err(why) = server.reply(&reply) {
            return test.found(why);
        }
    }
}

/// Calls `count` times; how many were abandoned, or `None` if the test found its bug.
fn drive(mut client: Client, count: u64, seed: u64, test: Test, progress: &AtomicU64) -> Option<u64> {
    let (mut dice, cpus, mut abandoned) = (Dice(seed), cpu::allowed(), 0);
    for number in 1..=count {
        wander(&mut dice, &cpus);
        let request = [number, checksum(number)].map(u64::to_ne_bytes).concat();
        if let Err(why) = client.post(&request) {
            return test.found(why);
        }
        // One in 512 is given up at once or soon, and the slot reclaimed.
        let gives_up = dice.roll(512) == 0;
        let patience = Duration::from_micros(dice.roll(20));
        let deadline = if gives_up {
            Some(Instant::now() + patience)
        } else {
            test.deadline()
        };
        let reply = match client.wait(deadline) {
            Err(WaitError::TimedOut) if gives_up => client.abandon(),
            reply => reply.map(Some),
        };
        match reply {
            Ok(_) if !gives_up && test.is_late(deadline) => return None,
            Ok(Some(reply)) => {
                let expected = [number, !number, checksum(number)].map(u64::to_ne_bytes).concat();
                assert_eq!(reply.as_ref(), expected, "of operation {number}");
            }
            Ok(None) => {
                abandoned += 1;
                if let Err(why) = client.reclaim(test.deadline()) {
                    return test.found(why);
                }
            }
            Err(why) => return test.found(why),
        }
        progress.store(number, Relaxed);
    }
    Some(abandoned)
}

impl Test {
    /// A side cannot go on.
    fn found<R>(self, why: WaitError) -> Option<R> {
        match self {
            Self::Relay => panic!("{why}"),
            Self::Bug(_) => None,
        }
    }
}

fn no_hand_off_is_lost(slot: SlotRef, bells: (Bell, Bell), seed: u64) {
    assert!(run(slot, bells, hand_offs(), seed, Test::Relay));
}

#[test]
fn no_hand_off_is_lost_in_private_memory() {
    no_hand_off_is_lost(SlotRef::private(), (Bell::futex(), Bell::futex()), 11);
}

#[test]
fn no_hand_off_is_lost_in_shared_memory() {
    let memory = Arc::new(SharedMemory::create("relay-stress", 4096).unwrap());
    let slot = Slots::in_memory(memory, 256, 1).unwrap().get(0).unwrap();
    no_hand_off_is_lost(slot, (Bell::futex(), Bell::futex()), 12);
}

#[test]
fn no_hand_off_is_lost_over_eventfds() {
    let bells = (
        Bell::new_eventfd().unwrap(),
        Bell::new_blocking_eventfd().unwrap(),
    );
    no_hand_off_is_lost(SlotRef::private(), bells, 13);
}

/// The stress test counts only if it finds what it is for.
#[test]
fn planted_bugs_are_found() {
    use planted::Bug;
    for bug in [Bug::AnnounceBlindly, Bug::PublishInTwoSteps, Bug::ClearLate] {
        let finished = run(
            SlotRef::private(),
            (Bell::futex(), Bell::futex()),
            1_000_000,
            14,
            Test::Bug(bug),
        );
        assert!(!finished, "{bug:?} was not found");
    }
}
