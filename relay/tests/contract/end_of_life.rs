// SPDX-License-Identifier: MIT
//! Who leaves, in order or not, is noticed by who stays.

use crate::kit::{Child, MEMORY, Peer, promise, slot_in};
use relay::{Bell, Client, Policy, Server, SharedMemory, Side, SlotRef, Strategy, WaitError, bury};
use std::sync::Arc;
use std::time::Duration;

promise! {
    fn a_waiting_server_notices_that_its_client_left(setup: &Setup) {
        setup.run(
            |mut server, _| {
                assert_eq!(server.next(None).unwrap_err(), WaitError::Closed);
                assert_eq!(server.next(None).unwrap_err(), WaitError::Closed, "and it stays so");
                assert_eq!(server.try_next().unwrap_err(), WaitError::Closed);
            },
            |client, _| {
                std::thread::sleep(Duration::from_millis(2));
                drop(client);
            },
        );
    }
}

promise! {
    fn a_waiting_client_notices_that_its_server_left(setup: &Setup) {
        setup.run(
            |mut server, _| {
                server.next(None).unwrap();
                std::thread::sleep(Duration::from_millis(2));
                server.close();
                assert_eq!(server.reply(b"late").unwrap_err(), WaitError::Closed);
            },
            |mut client, _| {
                assert_eq!(client.call(b"1", None).unwrap_err(), WaitError::Closed);
                assert_eq!(client.post(b"2").unwrap_err(), WaitError::Closed, "and it stays so");
            },
        );
    }
}

promise! {
    fn a_reply_published_before_leaving_is_delivered(setup: &Setup) {
        setup.run(
            |mut server, _| {
                server.next(None).unwrap();
                server.reply(b"the last").unwrap();
            },
            |mut client, _| {
                assert_eq!(client.call(b"1", None).unwrap().as_ref(), b"the last");
                assert_eq!(client.call(b"2", None).unwrap_err(), WaitError::Closed);
            },
        );
    }
}

promise! {
    fn a_server_killed_at_work_is_buried_and_its_client_told(setup: &Setup) {
        if setup.peer == Peer::Thread {
            return; // a thread is not killed alone
        }
        let memory = Arc::new(SharedMemory::create("relay-contract", MEMORY).unwrap());
        let (policy, bells, slot) = (setup.policy(), setup.bells(), slot_in(&memory));
        let child = Child::fork(|| {
            let mut server = Server::new(slot_in(&memory), policy.clone(), bells.0.clone(), bells.1.clone());
            server.reply_to_first_and_stop();
        });
        let mut client = Client::new(slot.clone(), policy, bells.0, bells.1.clone());
        assert_eq!(client.call(b"1", None).unwrap().as_ref(), b"1");
        client.post(b"2").unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| client.wait(None));
            std::thread::sleep(Duration::from_millis(2));
            child.kill();
            assert_eq!(child.wait(), -libc::SIGKILL);
            bury(&slot, Side::Server, &bells.1);
            assert_eq!(waiting.join().unwrap().unwrap_err(), WaitError::Dead);
        });
        assert!(!slot.reset(), "the client has not left");
        drop(client);
        assert!(slot.reset());
        assert!(!slot.reset(), "it is fresh");
    }
}

trait StopAtWork {
    fn reply_to_first_and_stop(&mut self);
}

impl StopAtWork for Server {
    fn reply_to_first_and_stop(&mut self) {
        let request = self.next(None).unwrap();
        self.reply(&request).unwrap();
        self.next(None).unwrap();
        std::thread::sleep(Duration::from_secs(100));
    }
}

fn pair(slot: &SlotRef) -> (Client, Server) {
    let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
    let client = Client::new(slot.clone(), policy.clone(), Bell::futex(), Bell::futex());
    (
        client,
        Server::new(slot.clone(), policy, Bell::futex(), Bell::futex()),
    )
}

#[test]
fn who_was_buried_alive_ends_too() {
    let slot = SlotRef::private();
    let (mut client, mut server) = pair(&slot);
    client.post(b"1").unwrap();
    server.try_next().unwrap().unwrap();
    bury(&slot, Side::Server, &Bell::futex());
    assert_eq!(server.reply(b"one").unwrap_err(), WaitError::Dead);
    assert_eq!(server.reply(b"one").unwrap_err(), WaitError::Dead);
    bury(&slot, Side::Client, &Bell::futex());
    assert_eq!(client.abandon().unwrap_err(), WaitError::Dead);
    drop((client, server));
    assert!(slot.reset());
}

#[test]
fn a_reply_published_before_death_is_delivered() {
    let slot = SlotRef::private();
    let (mut client, mut server) = pair(&slot);
    client.post(b"1").unwrap();
    server.try_next().unwrap().unwrap();
    server.reply(b"one").unwrap();
    bury(&slot, Side::Server, &Bell::futex());
    assert_eq!(client.wait(None).unwrap().as_ref(), b"one");
    assert_eq!(client.call(b"2", None).unwrap_err(), WaitError::Dead);
}

#[test]
fn a_request_of_a_client_that_went_is_not_served() {
    let slot = SlotRef::private();
    let (mut client, mut server) = pair(&slot);
    client.post(b"1").unwrap();
    drop(client);
    assert_eq!(server.try_next().unwrap_err(), WaitError::Closed);
}

#[test]
fn a_slot_that_both_left_serves_two_new_ends() {
    let slot = SlotRef::private();
    for round in 0..3 {
        let (mut client, mut server) = pair(&slot);
        for _ in 0..=round {
            client.post(b"again").unwrap();
            assert_eq!(server.try_next().unwrap().unwrap().as_ref(), b"again");
            server.reply(b"yes").unwrap();
            assert_eq!(client.wait(None).unwrap().as_ref(), b"yes");
        }
        drop(server);
        assert!(!slot.reset());
        drop(client);
        assert!(slot.reset());
    }
}
