// SPDX-License-Identifier: MIT
//! What is not a side's turn is refused, and changes nothing.

use relay::{Bell, Client, INLINE, Policy, Server, SlotRef, Strategy, WaitError};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn calls_out_of_turn_are_refused_and_change_nothing() {
    let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
    let slot = SlotRef::private();
    let mut client = Client::new(slot.clone(), policy.clone(), Bell::futex(), Bell::futex());
    let mut server = Server::new(slot, policy, Bell::futex(), Bell::futex());
    for _ in 0..3 {
        assert_eq!(client.wait(None).unwrap_err(), WaitError::OutOfTurn);
        assert_eq!(client.abandon().unwrap_err(), WaitError::OutOfTurn);
        assert_eq!(client.reclaim(None), Ok(()), "nothing to reclaim");
        assert_eq!(server.reply(b"?").unwrap_err(), WaitError::OutOfTurn);
        assert!(!server.is_abandoned());
        client.post(b"operation").unwrap();
        assert_eq!(client.post(b"another").unwrap_err(), WaitError::OutOfTurn);
        assert_eq!(client.reclaim(None).unwrap_err(), WaitError::OutOfTurn);
        assert_eq!(server.next(None).unwrap().as_ref(), b"operation");
        assert_eq!(server.next(None).unwrap_err(), WaitError::OutOfTurn);
        assert_eq!(server.try_next().unwrap_err(), WaitError::OutOfTurn);
        server.reply(b"reply").unwrap();
        assert_eq!(server.reply(b"twice").unwrap_err(), WaitError::OutOfTurn);
        assert_eq!(client.wait(None).unwrap().as_ref(), b"reply");
    }
}

#[test]
fn a_message_too_long_is_refused_and_changes_nothing() {
    let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
    let slot = SlotRef::private();
    let mut client = Client::new(slot.clone(), policy.clone(), Bell::futex(), Bell::futex());
    let mut server = Server::new(slot, policy, Bell::futex(), Bell::futex());
    for too_long in [INLINE + 1, 256, 300, 1 << 20] {
        assert_eq!(client.post(&vec![0; too_long]).unwrap_err(), WaitError::TooLong);
        client.post(&[7; INLINE]).unwrap();
        assert_eq!(server.next(None).unwrap().as_ref(), [7; INLINE]);
        assert_eq!(server.reply(&vec![0; too_long]).unwrap_err(), WaitError::TooLong);
        server.reply(&[8; INLINE]).unwrap();
        assert_eq!(client.wait(None).unwrap().as_ref(), [8; INLINE]);
    }
}
