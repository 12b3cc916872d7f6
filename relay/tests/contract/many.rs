// SPDX-License-Identifier: MIT
//! One worker serves many slots, and no client hurts another.

use crate::handoff::calls;
use crate::kit::{MEMORY, slot_in, watched};
use relay::{
    Bell, Client, Control, Event, Policy, Poller, Server, SharedMemory, Slot, SlotRef, Slots, Strategy,
    Token, WaitError,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// What a worker is told, when its control is rung.
enum Order {
    Add(Server, u32),
    Stop,
}

/// A worker on a thread of its own, that answers every request reversed.
struct Worker {
    orders: Sender<Order>,
    control: Control,
    policy: Arc<Policy>,
    thread: std::thread::JoinHandle<HashMap<u32, (u64, WaitError)>>,
}

impl Worker {
    fn start(strategy: Strategy) -> Self {
        let policy = Arc::new(Policy::new(strategy, Duration::from_micros(30)));
        let poller = Poller::new(policy.clone()).unwrap();
        let (orders, inbox) = channel();
        let control = poller.control();
        let thread = std::thread::spawn(|| work(poller, inbox));
        Self {
            orders,
            control,
            policy,
            thread,
        }
    }

    fn order(&self, order: Order) {
        self.orders.send(order).unwrap();
        self.control.ring();
    }

    fn client(&self, name: u32) -> Client {
        self.client_on(name, SlotRef::private())
    }

    fn client_on(&self, name: u32, slot: SlotRef) -> Client {
        let bells = (Bell::new_eventfd().unwrap(), Bell::futex());
        let client = Client::new(
            slot.clone(),
            self.policy.clone(),
            bells.0.clone(),
            bells.1.clone(),
        );
        self.order(Order::Add(
            Server::new(slot, self.policy.clone(), bells.0, bells.1),
            name,
        ));
        client
    }

    /// Stops it; how many operations of each client it served, and how that one left.
    fn stop(self) -> HashMap<u32, (u64, WaitError)> {
        self.order(Order::Stop);
        self.thread.join().unwrap()
    }
}

fn work(mut poller: Poller<(u32, u64)>, inbox: Receiver<Order>) -> HashMap<u32, (u64, WaitError)> {
    let (mut left, mut until) = (HashMap::new(), None);
    loop {
        let event = match poller.next(until) {
            Ok(event) => event,
            // Told to stop, and nothing is left.
            Err(why) => break assert_eq!(why, WaitError::TimedOut),
        };
        match event {
            Event::Request(token, message) => {
                poller.get_mut(token).unwrap().1 += 1;
                let reply: Vec<u8> = message.iter().rev().copied().collect();
                // A hostile client may have ended its slot by now.
                let _ = poller.reply(token, &reply);
            }
            Event::Ended(_, (name, served), why) => drop(left.insert(name, (served, why))),
            Event::Rung => {
                for order in inbox.try_iter() {
                    match order {
                        Order::Add(server, name) => drop(poller.add(server, (name, 0)).unwrap()),
                        Order::Stop => until = Some(Instant::now()),
                    }
                }
            }
        }
    }
    left
}

#[test]
fn every_client_is_served_while_others_come_and_go() {
    for strategy in Strategy::ALL {
        watched(strategy.name(), || {
            let worker = Worker::start(strategy);
            std::thread::scope(|scope| {
                for name in 0..6 {
                    let worker = &worker;
                    scope.spawn(move || {
                        for round in 0..5 {
                            let mut client = worker.client(name * 10 + round);
                            // Spinning, more threads than CPUs cost a time slice a turn.
                            calls(&mut client, if strategy == Strategy::Spin { 2 } else { 40 });
                        }
                    });
                }
            });
            let count = if strategy == Strategy::Spin { 2 } else { 40 };
            let left = worker.stop();
            assert!(
                left.values()
                    .all(|(served, why)| (*served, *why) == (count, WaitError::Closed)),
                "{left:?}"
            );
            assert_eq!(left.len(), 30);
        });
    }
}

#[test]
fn an_idle_worker_sleeps_and_is_woken_by_any_slot() {
    let worker = Worker::start(Strategy::Hybrid);
    let mut clients: Vec<_> = (0..8).map(|name| worker.client(name)).collect();
    for _ in 0..3 {
        for client in &mut clients {
            std::thread::sleep(Duration::from_millis(1));
            calls(client, 2);
        }
    }
    drop(clients);
    drop(worker.stop());
}

#[test]
fn a_client_that_writes_rubbish_or_keeps_ringing_hurts_only_itself() {
    for strategy in [Strategy::Park, Strategy::Hybrid, Strategy::Waitqueue] {
        watched(strategy.name(), || {
            let worker = Worker::start(strategy);
            let mut honest = worker.client(1);
            let memory = Arc::new(SharedMemory::create("relay-hostile", MEMORY).unwrap());
            let slot = slot_in(&memory);
            // This one fills its bell's counter: no later ring can be added to it.
            let bells = (Bell::new_eventfd().unwrap(), Bell::futex());
            rustix::io::write(bells.0.fd().unwrap(), &(u64::MAX - 1).to_ne_bytes()).unwrap();
            worker.order(Order::Add(
                Server::new(slot, worker.policy.clone(), bells.0.clone(), bells.1),
                2,
            ));
            calls(&mut honest, 50);
            // It announces itself for ever, then writes what no client may.
            let window = memory.window(0..256).unwrap();
            window.write(Slot::REPLY_OFFSET, &0x80u32.to_ne_bytes());
            calls(&mut honest, 50);
            window.write(Slot::REQUEST_OFFSET, &0x7777_0007u32.to_ne_bytes());
            calls(&mut honest, 50);
            drop(honest);
            std::thread::sleep(Duration::from_millis(2));
            let left = worker.stop();
            assert_eq!(left.get(&1), Some(&(150, WaitError::Closed)));
            assert!(matches!(
                left.get(&2),
                Some((0, WaitError::Protocol | WaitError::Dead | WaitError::Closed))
            ));
        });
    }
}

#[test]
fn operations_may_be_answered_out_of_order() {
    let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
    let mut poller = Poller::new(policy.clone()).unwrap();
    let mut clients: Vec<Client> = Vec::new();
    for name in 0..4u8 {
        let (slot, bell) = (SlotRef::private(), Bell::new_eventfd().unwrap());
        clients.push(Client::new(
            slot.clone(),
            policy.clone(),
            bell.clone(),
            Bell::futex(),
        ));
        poller
            .add(Server::new(slot, policy.clone(), bell, Bell::futex()), name)
            .unwrap();
    }
    for (name, client) in (0..).zip(&mut clients) {
        client.post(&[name]).unwrap();
    }
    let mut taken: Vec<Token> = Vec::new();
    while taken.len() < 4 {
        let Event::Request(token, message) = poller.next(None).unwrap() else {
            panic!("four requests")
        };
        assert_eq!(poller.get_mut(token).copied(), Some(message[0]));
        taken.push(token);
    }
    let soon = Some(Instant::now() + Duration::from_millis(2));
    assert_eq!(
        poller.next(soon).unwrap_err(),
        WaitError::TimedOut,
        "all are at work"
    );
    for token in taken.iter().rev() {
        let name = *poller.get_mut(*token).unwrap();
        assert!(!poller.is_abandoned(*token));
        poller.reply(*token, &[name + 100]).unwrap();
        assert_eq!(poller.reply(*token, &[0]).unwrap_err(), WaitError::OutOfTurn);
    }
    for (name, client) in (0..).zip(&mut clients) {
        assert_eq!(client.wait(None).unwrap().as_ref(), [name + 100]);
    }
    // One is taken out: its token names nobody any more, also when its place is taken again.
    let (server, name) = poller.remove(taken[1]).unwrap();
    drop(server);
    let client = &mut clients[usize::from(name)];
    assert_eq!(client.call(b"?", None).unwrap_err(), WaitError::Closed);
    let (slot, bell) = (SlotRef::private(), Bell::new_eventfd().unwrap());
    let new = poller
        .add(Server::new(slot, policy.clone(), bell, Bell::futex()), 9)
        .unwrap();
    assert_ne!(new, taken[1]);
    assert!(poller.remove(taken[1]).is_none() && poller.get_mut(taken[1]).is_none());
    assert_eq!(poller.reply(taken[1], &[]).unwrap_err(), WaitError::Closed);
    assert_eq!(poller.len(), 4);
}

#[test]
fn a_server_without_a_bell_of_its_own_is_refused() {
    let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
    let mut poller = Poller::new(policy.clone()).unwrap();
    let server = Server::new(SlotRef::private(), policy, Bell::futex(), Bell::futex());
    let error = poller.add(server, ()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(poller.is_empty());
}

/// A client with slots on many CPUs would else cost the server a descriptor for each.
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

/// Ends whose worker is this thread, so that each step is one event.
fn crowd(count: u32) -> (Poller<u32>, Vec<Client>, Bell) {
    let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
    let mut poller = Poller::new(policy.clone()).unwrap();
    let bell = Bell::new_eventfd().unwrap();
    let end = |name| {
        let slot = SlotRef::private();
        let server = Server::new(slot.clone(), policy.clone(), bell.clone(), Bell::futex());
        poller.add(server, name).unwrap();
        Client::new(slot, policy.clone(), bell.clone(), Bell::futex())
    };
    let clients = (0..count).map(end).collect();
    (poller, clients, bell)
}

/// Answers the next request; whose it was.
fn answer(poller: &mut Poller<u32>) -> u32 {
    match poller.next(Some(Instant::now() + Duration::from_secs(60))) {
        Ok(Event::Request(token, _)) => {
            poller.reply(token, b"done").unwrap();
            *poller.get_mut(token).unwrap()
        }
        other => panic!("no request: {other:?}"),
    }
}

#[test]
fn one_that_never_pauses_does_not_keep_the_others_waiting() {
    let (mut poller, mut clients, _) = crowd(200);
    for client in &mut clients {
        client.post(b"request").unwrap();
    }
    let mut served = [0; 200];
    // As soon as number 7 is answered it asks again; the others ask once.
    for turn in 0.. {
        let name = answer(&mut poller);
        served[name as usize] += 1;
        if name == 7 {
            clients[7].wait(None).unwrap();
            clients[7].post(b"request").unwrap();
        }
        if served.iter().all(|&count| count > 0) {
            break;
        }
        assert!(turn < 200 * 40, "somebody starves: {served:?}");
    }
}

#[test]
fn an_announcement_stands_until_its_client_comes_and_then_rings_once() {
    let (mut poller, mut clients, _) = crowd(40);
    let nothing = poller.next(Some(Instant::now() + Duration::from_millis(5)));
    assert!(matches!(nothing, Err(WaitError::TimedOut)));
    for round in 0..3 {
        for (name, client) in clients.iter_mut().enumerate() {
            client.post(b"request").unwrap();
            assert_eq!(answer(&mut poller), name as u32);
            client.wait(None).unwrap();
            // It rang when it came first, and the worker has not slept since.
            assert_eq!(client.stats().snapshot().wakes, 1, "round {round}");
        }
    }
}
