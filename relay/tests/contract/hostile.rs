// SPDX-License-Identifier: MIT
//! A peer that writes whatever it likes, whenever it likes, gets errors on its own slot and nothing
//! else.

use crate::kit::{MEMORY, slot_in, watched};
use relay::state::{self, Word};
use relay::{Bell, Client, INLINE, Policy, Server, SharedMemory, Slot, Strategy, WaitError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A word: often near a legal one, sometimes anything.
fn word(dice: &mut Dice) -> u32 {
    let content = [
        state::FULL,
        state::FULL,
        state::FULL,
        state::ABANDONED,
        state::EMPTY,
        9,
    ][dice.roll() as usize % 6];
    let len = [0, 8, 120, 121, 255][dice.roll() as usize % 5];
    let word = Word::new(dice.roll() as u16 % 4, len, content);
    match dice.roll() % 16 {
        0 => dice.roll() as u32,
        1 => word.closed().bits(),
        2 => word.dead().bits(),
        3..6 => word.announced().bits(),
        _ => word.bits(),
    }
}

/// Writes rubbish all over the slot until told to stop.
fn rage(memory: &SharedMemory, seed: u64, stop: &AtomicBool) {
    let window = memory.window(0..256).unwrap();
    let mut dice = Dice(seed);
    while !stop.load(Relaxed) {
        let block = [Slot::REQUEST_OFFSET, Slot::REPLY_OFFSET][dice.roll() as usize % 2];
        window.write(block, &word(&mut dice).to_ne_bytes());
        window.write(block + 4, &(dice.roll() as u32).to_ne_bytes());
        window.write(block + 8 + dice.roll() as usize % 112, &dice.roll().to_ne_bytes());
        if dice.roll().is_multiple_of(64) {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

/// Plays `side` on fresh slots for a while, against somebody who rages over them.
fn survive(strategy: Strategy, mut side: impl FnMut(&Arc<SharedMemory>, Arc<Policy>)) {
    watched(&format!("against rubbish by {strategy}"), || {
        let policy = Arc::new(Policy::new(strategy, Duration::from_micros(20)));
        let memory = Arc::new(SharedMemory::create("relay-hostile", MEMORY).unwrap());
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| rage(&memory, 0x9e37_79b9 + strategy as u64, &stop));
            let start = Instant::now();
            let mut rounds = 0;
            while rounds < 300 && start.elapsed() < Duration::from_millis(400) {
                memory.window(0..256).unwrap().zero();
                side(&memory, policy.clone());
                rounds += 1;
            }
            stop.store(true, Relaxed);
        });
    });
}

fn soon() -> Option<Instant> {
    Some(Instant::now() + Duration::from_micros(300))
}

#[test]
fn a_server_survives_a_client_that_writes_rubbish() {
    let mut verdicts = std::collections::HashSet::new();
    for strategy in Strategy::ALL {
        survive(strategy, |memory, policy| {
            let mut server = Server::new(slot_in(memory), policy, Bell::futex(), Bell::futex());
            for _ in 0..20 {
                let result = match server.next(soon()) {
                    Ok(request) => {
                        assert!(request.len() <= INLINE);
                        server.reply(&request)
                    }
                    Err(why) => Err(why),
                };
                verdicts.insert(result);
                if !matches!(result, Ok(()) | Err(WaitError::TimedOut)) {
                    break;
                }
            }
        });
    }
    assert!(verdicts.contains(&Err(WaitError::Protocol)), "{verdicts:?}");
    assert!(
        !verdicts.contains(&Err(WaitError::OutOfTurn)),
        "its own turn is its own: {verdicts:?}"
    );
}

#[test]
fn a_client_survives_a_server_that_writes_rubbish() {
    let mut verdicts = std::collections::HashSet::new();
    for strategy in Strategy::ALL {
        survive(strategy, |memory, policy| {
            let mut client = Client::new(slot_in(memory), policy, Bell::futex(), Bell::futex());
            for _ in 0..20 {
                let result = client.call(b"request", soon());
                verdicts.insert(result.map(|reply| assert!(reply.len() <= INLINE)));
                match result {
                    Ok(_) => {}
                    Err(WaitError::TimedOut) => drop(client.reclaim(soon())),
                    Err(_) => break,
                }
            }
        });
    }
    assert!(verdicts.contains(&Err(WaitError::Protocol)), "{verdicts:?}");
    assert!(
        !verdicts.contains(&Err(WaitError::OutOfTurn)),
        "its own turn is its own: {verdicts:?}"
    );
}

/// Each rubbish word on its own: an error at once, that stays.
#[test]
fn one_illegal_word_ends_the_slot() {
    let illegal = [
        Word::new(2, 0, state::FULL),
        Word::new(0, 0, state::FULL),
        Word::new(1, 121, state::FULL),
        Word::new(1, 8, state::ABANDONED),
        Word::new(1, 0, state::EMPTY),
        Word::new(1, 0, 0x1f),
    ];
    for word in illegal.into_iter().flat_map(|word| [word, word.announced()]) {
        let memory = Arc::new(SharedMemory::create("relay-hostile", MEMORY).unwrap());
        let policy = Arc::new(Policy::new(Strategy::Hybrid, Duration::from_micros(20)));
        let (slot, bell) = (slot_in(&memory), Bell::futex());
        let mut server = Server::new(slot.clone(), policy.clone(), bell.clone(), bell.clone());
        let mut client = Client::new(slot, policy, bell.clone(), bell);
        memory
            .window(0..256)
            .unwrap()
            .write(Slot::REQUEST_OFFSET, &word.bits().to_ne_bytes());
        assert_eq!(server.next(None).unwrap_err(), WaitError::Protocol, "{word:?}");
        assert_eq!(server.next(None).unwrap_err(), WaitError::Protocol);
        assert_eq!(
            client.post(b"1").unwrap_err(),
            WaitError::Protocol,
            "its own word was overwritten"
        );
        assert_eq!(client.post(b"1").unwrap_err(), WaitError::Protocol);
    }
}
