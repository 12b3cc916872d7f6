// SPDX-License-Identifier: MIT
//! Every operation arrives whole, once, and is answered by its own reply.

use crate::kit::{Bells, Peer, Placement, Setup, WINDOW, everywhere, promise, watched};
use relay::{Bell, Client, INLINE, Policy, Server, SlotRef, Strategy, WaitError};
use std::sync::Arc;
use std::time::Duration;

/// Answers every request reversed, until the client leaves.
pub fn echo(mut server: Server) {
    loop {
        match server.next(None) {
            Ok(request) => {
                let reply: Vec<u8> = request.iter().rev().copied().collect();
                server.reply(&reply).unwrap();
            }
            Err(why) => break assert_eq!(why, WaitError::Closed),
        }
    }
}

/// The message of operation `number`: every length, no two alike in a row.
fn message(number: u64) -> Vec<u8> {
    (0..number as usize % (INLINE + 1))
        .map(|i| (number as usize * 7 + i) as u8)
        .collect()
}

pub fn calls(client: &mut Client, count: u64) {
    for number in 0..count {
        let reply = client.call(&message(number), None).unwrap();
        let expected: Vec<u8> = message(number).into_iter().rev().collect();
        assert_eq!(reply.as_ref(), expected, "of operation {number}");
    }
}

promise! {
    fn each_request_is_answered_by_its_own_reply(setup: &Setup) {
        setup.run(
            |server, _| echo(server),
            |mut client, _| {
                calls(&mut client, setup.operations());
                assert_eq!(client.stats().snapshot().handoffs, setup.operations());
            },
        );
    }
}

promise! {
    /// What lies in shared memory beside the slot is seen with the message.
    fn the_payload_is_seen_with_the_message(setup: &Setup) {
        setup.run(
            |mut server, memory| {
                let window = memory.window(WINDOW..WINDOW + 512).unwrap();
                while let Ok(request) = server.next(None) {
                    let mut payload = [0; 512];
                    window.read(0, &mut payload);
                    assert!(payload.iter().all(|byte| *byte == request[0]));
                    window.write(0, &[!request[0]; 512]);
                    server.reply(&[]).unwrap();
                }
            },
            |mut client, memory| {
                let window = memory.window(WINDOW..WINDOW + 512).unwrap();
                for number in 0..setup.operations() {
                    window.write(0, &[number as u8; 512]);
                    client.call(&[number as u8], None).unwrap();
                    let mut payload = [0; 512];
                    window.read(0, &mut payload);
                    assert!(payload.iter().all(|byte| *byte == !(number as u8)));
                }
            },
        );
    }
}

promise! {
    /// Both sides fall asleep (if they do at all) between one operation and the next.
    fn a_sleeping_side_is_woken(setup: &Setup) {
        setup.run(
            |server, _| echo(server),
            |mut client, _| {
                for _ in 0..3 {
                    std::thread::sleep(Duration::from_millis(3));
                    calls(&mut client, 2);
                }
            },
        );
    }
}

promise! {
    /// No publication rings more than once, and spinning neither sleeps nor wakes.
    fn nothing_is_woken_needlessly(setup: &Setup) {
        setup.run(
            |mut server, _| {
                let mut replies = 0;
                while let Ok(request) = server.next(None) {
                    server.reply(&request).unwrap();
                    replies += 1;
                }
                let stats = server.stats().snapshot();
                assert!(stats.wakes <= replies, "{stats:?}");
            },
            |mut client, _| {
                calls_alike(&mut client, setup.operations());
                let stats = client.stats().snapshot();
                assert!(stats.wakes <= setup.operations(), "{stats:?}");
                match setup.strategy {
                    Strategy::Spin => assert_eq!((stats.parks, stats.wakes, stats.yields), (0, 0, 0)),
                    Strategy::Waitqueue => assert_eq!(stats.wakes, setup.operations(), "always wakes"),
                    _ => {}
                }
            },
        );
    }
}

fn calls_alike(client: &mut Client, count: u64) {
    for _ in 0..count {
        assert_eq!(client.call(b"same", None).unwrap().as_ref(), b"same");
    }
}

#[test]
fn sides_may_wait_differently() {
    for one in Strategy::ALL {
        for other in Strategy::ALL {
            watched(&format!("{one} against {other}"), || {
                let policy = |strategy| Arc::new(Policy::new(strategy, Duration::from_micros(30)));
                let (slot, (to, back)) = (SlotRef::private(), (Bell::new_eventfd().unwrap(), Bell::futex()));
                let mut client = Client::new(slot.clone(), policy(one), to.clone(), back.clone());
                let server = Server::new(slot, policy(other), to, back);
                let serving = std::thread::spawn(|| echo(server));
                calls(&mut client, 100);
                drop(client);
                serving.join().unwrap();
            });
        }
    }
}

#[test]
fn a_policy_changes_while_both_sides_wait_by_it() {
    fn keep(setup: &Setup) {
        if setup.peer == Peer::Process || setup.bells == Bells::BlockingEventfd {
            return; // a policy is of one process
        }
        let (policy, bells, slot) = (setup.policy(), setup.bells(), SlotRef::private());
        let mut client = Client::new(slot.clone(), policy.clone(), bells.0.clone(), bells.1.clone());
        let server = Server::new(slot, policy.clone(), bells.0, bells.1);
        let serving = std::thread::spawn(|| echo(server));
        for strategy in Strategy::ALL {
            calls(&mut client, 20);
            // The server waits by the last one when this comes.
            std::thread::sleep(Duration::from_millis(1));
            policy.set_strategy(strategy);
            policy.set_window(Duration::from_micros(5));
            calls(&mut client, 20);
        }
        drop(client);
        serving.join().unwrap();
    }
    for strategy in Strategy::ALL {
        everywhere(strategy, |setup| {
            if setup.placement == Placement::Same {
                keep(setup)
            }
        });
    }
}
