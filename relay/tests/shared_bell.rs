// SPDX-License-Identifier: MIT
//! Slots of one client may share the bell that wakes their worker.
#![cfg(not(loom))]

use std::sync::Arc;
use std::time::Duration;

use relay::{Bell, Client, Event, Policy, Poller, Server, Slots, Strategy, WaitError};

#[test]
fn one_bell_wakes_for_each_of_its_slots_until_the_last_is_out() {
    let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
    let slots = Slots::private(3);
    let bell = Bell::new_eventfd().unwrap();
    let mut poller = Poller::new(Arc::clone(&policy)).unwrap();
    let mut clients = Vec::new();
    for i in 0..3 {
        let slot = slots.get(i).unwrap();
        let server = Server::new(slot.clone(), policy.clone(), bell.clone(), Bell::futex());
        poller.add(server, i).unwrap();
        clients.push(Client::new(slot, policy.clone(), bell.clone(), Bell::futex()));
    }
    let serving = std::thread::spawn(move || {
        let mut ended = 0;
        while ended < 3 {
            match poller.next(None).unwrap() {
                Event::Request(token, message) => {
                    let reply = [*poller.get_mut(token).unwrap() as u8, message[0]];
                    poller.reply(token, &reply).unwrap();
                }
                Event::Ended(_, _, why) => {
                    assert_eq!(why, WaitError::Closed);
                    ended += 1;
                }
                Event::Rung => {}
            }
        }
        assert!(poller.is_empty());
    });
    while let Some(mut client) = clients.pop() {
        // The worker sleeps by now, or nearly so.
        std::thread::sleep(Duration::from_millis(5));
        let index = clients.len() as u8;
        assert_eq!(client.call(&[7], None).unwrap().as_ref(), [index, 7]);
    }
    serving.join().unwrap();
}
