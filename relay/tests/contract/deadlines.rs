// SPDX-License-Identifier: MIT
//! No wait is longer than asked, and what was given up does no harm.

use crate::kit::{Peer, Setup, promise};
use relay::{Bell, Client, Policy, Server, SlotRef, Strategy, WaitError};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_millis(3);

promise! {
    fn a_wait_ends_at_its_deadline_and_not_before(setup: &Setup) {
        setup.run(
            |mut server, _| {
                let start = Instant::now();
                let mut first = server.next(Some(start + PATIENCE / 3));
                if matches!(first, Err(WaitError::TimedOut)) {
                    assert!(start.elapsed() >= PATIENCE / 3);
                    assert_eq!(server.stats().snapshot().timeouts, 1);
                    first = server.next(None);
                }
                match first {
                    Ok(request) => assert_eq!(request.as_ref(), b"slow"),
                    // So late that the client had given it up and left.
                    Err(why) => return assert_eq!(why, WaitError::Closed),
                }
                // Not answered until the client has waited in vain.
                while !server.is_abandoned() {
                    std::thread::sleep(Duration::from_micros(200));
                }
            },
            |mut client, _| {
                client.post(b"slow").unwrap();
                let start = Instant::now();
                assert_eq!(client.wait(Some(start + PATIENCE)).unwrap_err(), WaitError::TimedOut);
                assert!(start.elapsed() >= PATIENCE);
                assert_eq!(client.stats().snapshot().timeouts, 1);
                assert!(client.is_posted(), "it may still be waited for");
            },
        );
    }
}

promise! {
    fn an_abandoned_slot_is_used_again_after_its_reply(setup: &Setup) {
        setup.run(
            |mut server, _| {
                let mut request = server.next(None).unwrap();
                // Else this side was so late that it never saw the first.
                if request.as_ref() == b"given up" {
                    while !server.is_abandoned() {
                        std::thread::sleep(Duration::from_micros(200));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                    server.reply(b"too late").unwrap();
                    request = server.next(None).unwrap();
                }
                assert_eq!(request.as_ref(), b"next");
                server.reply(b"in time").unwrap();
            },
            |mut client, _| {
                let late = client.call(b"given up", Some(Instant::now() + PATIENCE));
                assert_eq!(late.unwrap_err(), WaitError::TimedOut);
                if client.post(b"next") == Err(WaitError::Busy) {
                    client.reclaim(None).unwrap();
                    client.post(b"next").unwrap();
                }
                assert_eq!(client.wait(None).unwrap().as_ref(), b"in time");
            },
        );
    }
}

#[test]
fn an_operation_abandoned_before_it_was_taken_is_never_served() {
    let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
    let slot = SlotRef::private();
    let mut client = Client::new(slot.clone(), policy.clone(), Bell::futex(), Bell::futex());
    let mut server = Server::new(slot, policy, Bell::futex(), Bell::futex());
    for _ in 0..70_000 {
        // More often than there are sequence numbers.
        client.post(b"never").unwrap();
        assert!(client.abandon().unwrap().is_none());
        assert_eq!(client.post(b"now").unwrap_err(), WaitError::Busy);
        assert!(server.try_next().unwrap().is_none(), "it is forgone");
        client.post(b"now").unwrap();
        assert_eq!(server.try_next().unwrap().unwrap().as_ref(), b"now");
        server.reply(b"yes").unwrap();
        assert_eq!(client.wait(None).unwrap().as_ref(), b"yes");
    }
    assert_eq!(server.stats().snapshot().handoffs, 70_000);
}

#[test]
fn a_reply_that_came_while_giving_up_is_handed_out() {
    let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
    let slot = SlotRef::private();
    let mut client = Client::new(slot.clone(), policy.clone(), Bell::futex(), Bell::futex());
    let mut server = Server::new(slot, policy, Bell::futex(), Bell::futex());
    client.post(b"1").unwrap();
    server.try_next().unwrap().unwrap();
    server.reply(b"one").unwrap();
    assert_eq!(client.abandon().unwrap().unwrap().as_ref(), b"one");
    client.post(b"2").unwrap();
    assert_eq!(server.try_next().unwrap().unwrap().as_ref(), b"2");
}

#[test]
fn a_deadline_in_the_past_still_takes_what_is_there() {
    for strategy in Strategy::ALL {
        let setup = Setup {
            strategy,
            peer: Peer::Thread,
            placement: crate::kit::Placement::Same,
            bells: crate::kit::Bells::Eventfd,
        };
        let (policy, bells, slot) = (setup.policy(), setup.bells(), SlotRef::private());
        let mut client = Client::new(slot.clone(), policy.clone(), bells.0.clone(), bells.1.clone());
        let mut server = Server::new(slot, policy, bells.0, bells.1);
        let past = Some(Instant::now());
        assert_eq!(server.next(past).unwrap_err(), WaitError::TimedOut, "{strategy}");
        client.post(b"there").unwrap();
        assert_eq!(server.next(past).unwrap().as_ref(), b"there", "{strategy}");
    }
}
