// SPDX-License-Identifier: MIT
//! A thread on a CPU that answers the slots of many clients.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use relay::{Control, Event, Policy, Poller, Server, Stats, Token, WaitError};

use super::client::{Client, Kept};
use crate::feeder::desk::Desk;

/// What the guardian tells a worker.
enum Order {
    /// Serve these slots of a client.
    Serve(Arc<Client>, Vec<(Server, Kept)>),
    /// That client is gone.
    Forget(u64),
    /// End.
    Stop,
}

/// A worker, as others see it.
pub(super) struct Worker {
    /// The CPU that it is pinned to.
    pub cpu: u32,
    pub stats: Arc<Stats>,
    orders: Arc<Mutex<Vec<Order>>>,
    control: Control,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Starts a worker on `cpu`.
    pub fn start(cpu: u32, policy: Arc<Policy>) -> io::Result<Self> {
        let poller = Poller::new(policy)?;
        let (control, stats) = (poller.control(), Arc::clone(poller.stats()));
        let orders = Arc::new(Mutex::new(Vec::new()));
        let work = Work {
            poller,
            orders: Arc::clone(&orders),
            tokens: HashMap::new(),
            desk: Desk::new(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("zus-shm-{cpu}"))
            .spawn(move || {
                if let Err(e) = relay::cpu::pin(cpu) {
                    tracing::warn!("a worker could not be pinned to CPU {cpu}: {e}");
                }
                work.run();
            })?;
        Ok(Self {
            cpu,
            stats,
            orders,
            control,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Lets it serve these slots of `client`.
    pub fn serve(&self, client: &Arc<Client>, slots: Vec<(Server, Kept)>) {
        self.order(Order::Serve(Arc::clone(client), slots));
    }

    /// Lets it drop the slots of the client `id`.
    pub fn forget(&self, id: u64) {
        self.order(Order::Forget(id));
    }

    /// Asks it to end, the operation at hand completed.
    pub fn stop(&self) {
        self.order(Order::Stop);
    }

    /// Waits until it has ended.
    pub fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn order(&self, order: Order) {
        self.orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(order);
        self.control.ring();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
        self.join();
    }
}

/// What a worker works with.
struct Work {
    poller: Poller<Kept>,
    orders: Arc<Mutex<Vec<Order>>>,
    /// The slots of each client.
    tokens: HashMap<u64, Vec<Token>>,
    desk: Desk,
}

impl Work {
    fn run(mut self) {
        loop {
            match self.poller.next(None) {
                Ok(Event::Request(token, message)) => {
                    let Self { poller, desk, .. } = &mut self;
                    let Some(kept) = poller.get_mut(token) else {
                        continue;
                    };
                    let answer = kept.serve(&message, desk);
                    // Fails if the client has gone or broken the rules: its next event says so.
                    let _ = poller.reply(token, answer);
                }
                Ok(Event::Ended(token, kept, why)) => self.ended(token, &kept, why),
                Ok(Event::Rung) => {
                    if !self.obey() {
                        return;
                    }
                }
                Err(_) => {} // without a deadline, nothing times out
            }
        }
    }

    /// A client has left a slot. The end of its connection takes the others.
    #[cold]
    fn ended(&mut self, token: Token, kept: &Kept, why: WaitError) {
        if let Some(tokens) = self.tokens.get_mut(&kept.client.id) {
            tokens.retain(|&other| other != token);
        }
        if why == WaitError::Protocol {
            tracing::warn!(
                uid = kept.client.uid,
                "a client wrote into a slot what no rule allows: it is thrown out"
            );
            kept.client.hang_up();
        }
    }

    /// Does as it was told. Returns false if that was to end.
    #[cold]
    fn obey(&mut self) -> bool {
        let orders = std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner));
        for order in orders {
            match order {
                Order::Serve(client, slots) => {
                    for (server, kept) in slots {
                        match self.poller.add(server, kept) {
                            Ok(token) => self.tokens.entry(client.id).or_default().push(token),
                            Err(e) => {
                                tracing::error!("a client cannot be served: {e}");
                                client.hang_up();
                            }
                        }
                    }
                }
                Order::Forget(id) => {
                    for token in self.tokens.remove(&id).unwrap_or_default() {
                        self.poller.remove(token);
                    }
                }
                Order::Stop => return false,
            }
        }
        true
    }
}
