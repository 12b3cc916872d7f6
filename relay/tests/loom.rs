// SPDX-License-Identifier: MIT
//! The hand-off under the model checker, every interleaving and every visible order of memory:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test -p relay --test loom --release
//! ```
//!
//! Each model is a promise. Each planted bug is one that some model must find: a checker counts only
//! once it has been seen to fail.
#![cfg(loom)]

use loom::thread;
use relay::planted::{self, Bug};
use relay::{Bell, Client, Policy, Server, Side, SlotRef, Strategy, WaitError, bury};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Explores `model` with at most `preemptions` involuntary switches: nearly all known bugs need two.
fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

fn ends(strategy: Strategy) -> (Client, Server, SlotRef) {
    let policy = Arc::new(Policy::new(strategy, Duration::from_micros(1)));
    let slot = SlotRef::private();
    let client = Client::new(slot.clone(), policy.clone(), Bell::futex(), Bell::futex());
    let server = Server::new(slot.clone(), policy, Bell::futex(), Bell::futex());
    (client, server, slot)
}

/// `count` operations, each answered once and with its own answer.
fn hand_off(strategy: Strategy, count: u64) {
    let (mut client, mut server, _) = ends(strategy);
    let serving = thread::spawn(move || {
        for number in 1..=count {
            let request = server.next(None).unwrap();
            assert_eq!(request.as_ref(), number.to_ne_bytes());
            server.reply(&(number + 100).to_ne_bytes()).unwrap();
        }
        server
    });
    for number in 1..=count {
        let reply = client.call(&number.to_ne_bytes(), None).unwrap();
        assert_eq!(reply.as_ref(), (number + 100).to_ne_bytes());
    }
    let server = serving.join().unwrap();
    drop((client, server));
}

#[test]
fn a_hot_hand_off_shows_the_message_with_the_word() {
    explore(3, || hand_off(Strategy::Spin, 2));
}

#[test]
fn no_wake_is_lost() {
    explore(3, || hand_off(Strategy::Park, 2));
}

#[test]
fn a_hybrid_waiter_loses_no_wake() {
    explore(2, || hand_off(Strategy::Hybrid, 2));
}

#[test]
fn closing_wakes_the_peer_and_loses_no_reply() {
    explore(3, || {
        let (mut client, mut server, slot) = ends(Strategy::Park);
        let serving = thread::spawn(move || {
            server.next(None).unwrap();
            server.reply(b"the last").unwrap();
            assert_eq!(server.next(None).unwrap_err(), WaitError::Closed);
        });
        assert_eq!(client.call(b"first", None).unwrap().as_ref(), b"the last");
        client.close();
        serving.join().unwrap();
        assert!(slot.reset(), "both have left");
    });
}

#[test]
fn a_server_that_leaves_fails_the_call_and_no_more() {
    explore(3, || {
        let (mut client, mut server, _) = ends(Strategy::Park);
        let serving = thread::spawn(move || server.close());
        assert_eq!(client.call(b"first", None).unwrap_err(), WaitError::Closed);
        serving.join().unwrap();
    });
}

#[test]
fn abandoning_and_replying_agree() {
    explore(3, || {
        let (mut client, mut server, _) = ends(Strategy::Park);
        let serving = thread::spawn(move || {
            // Served, or given up before it was taken: then only the second is seen.
            let first = server.next(None).unwrap();
            server.reply(&first).unwrap();
            if first.as_ref() == b"1" {
                let second = server.next(None).unwrap();
                assert_eq!(second.as_ref(), b"2");
                server.reply(&second).unwrap();
            }
        });
        client.post(b"1").unwrap();
        match client.abandon().unwrap() {
            Some(reply) => assert_eq!(reply.as_ref(), b"1"),
            None => client.reclaim(None).unwrap(),
        }
        assert_eq!(client.call(b"2", None).unwrap().as_ref(), b"2");
        serving.join().unwrap();
    });
}

#[test]
fn a_buried_server_is_noticed_and_stays_dead() {
    explore(3, || {
        let (mut client, mut server, slot) = ends(Strategy::Park);
        let guarding = thread::spawn(move || bury(&slot, Side::Server, &Bell::futex()));
        // Buried alive, it may have answered before, and learns of it when it publishes after.
        let serving = thread::spawn(move || {
            if server.next(None).is_ok() {
                let replied = server.reply(b"reply");
                assert!(matches!(replied, Ok(()) | Err(WaitError::Dead)));
            }
            server.close();
        });
        match client.call(b"first", None) {
            Ok(reply) => assert_eq!(reply.as_ref(), b"reply"),
            Err(why) => assert!(matches!(why, WaitError::Dead | WaitError::Closed), "{why}"),
        }
        client.close();
        guarding.join().unwrap();
        serving.join().unwrap();
    });
}

/// What the checker says of `model` with `bug` planted in the moves.
fn verdict(bug: Bug, model: fn()) -> String {
    let checking = AssertUnwindSafe(|| planted::with(bug, || explore(3, model)));
    let found = catch_unwind(checking).expect_err("the planted bug was not found");
    match found.downcast::<String>() {
        Ok(message) => *message,
        Err(found) => found.downcast_ref::<&str>().unwrap_or(&"").to_string(),
    }
}

#[test]
fn a_relaxed_publication_is_found() {
    let verdict = verdict(Bug::PublishRelaxed, || hand_off(Strategy::Spin, 1));
    assert!(verdict.contains("left == right"), "a stale message: {verdict}");
}

#[test]
fn a_missing_recheck_is_found() {
    let verdict = verdict(Bug::AnnounceBlindly, || hand_off(Strategy::Park, 1));
    assert!(verdict.contains("deadlock"), "{verdict}");
}

#[test]
fn a_publication_in_two_steps_is_found() {
    let verdict = verdict(Bug::PublishInTwoSteps, || hand_off(Strategy::Park, 1));
    assert!(verdict.contains("deadlock"), "{verdict}");
}

#[test]
fn the_originals_late_clear_is_found() {
    let verdict = verdict(Bug::ClearLate, || hand_off(Strategy::Park, 2));
    assert!(verdict.contains("deadlock"), "{verdict}");
}
