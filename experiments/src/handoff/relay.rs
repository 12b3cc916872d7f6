// SPDX-License-Identifier: MIT
//! The relay itself, in private memory: both ends of one slot.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use perf::exchange::{Answerer, Caller, STOP};
use relay::{Bell, Client, Message, Policy, Server, SlotRef, Stats, Strategy};

/// The asking end.
#[derive(Debug)]
pub struct Asks(Client);

/// The answering end.
#[derive(Debug)]
pub struct Answers(Server);

/// Both ends' counters.
#[derive(Clone, Debug)]
pub struct Counted([Arc<Stats>; 2]);

/// A fresh slot, its ends waiting as `strategy` says, with bells as a mount would give them: futexes,
/// or one eventfd for each direction where two wait queues are asked for.
///
/// # Errors
///
/// No more descriptors.
pub fn pair(strategy: Strategy, window: Duration) -> io::Result<(Asks, Answers, Counted)> {
    let bell = || match strategy {
        Strategy::Waitqueue => Bell::new_blocking_eventfd(),
        _ => Ok(Bell::futex()),
    };
    let policy = Arc::new(Policy::new(strategy, window));
    let (request, reply) = (bell()?, bell()?);
    let slot = SlotRef::private();
    let client = Client::new(slot.clone(), policy.clone(), request.clone(), reply.clone());
    let server = Server::new(slot, policy, request, reply);
    let counted = Counted([client.stats().clone(), server.stats().clone()]);
    Ok((Asks(client), Answers(server), counted))
}

impl Counted {
    /// Blocking and waking calls of both ends until now.
    pub fn calls(&self) -> u64 {
        let calls = |stats: &Arc<Stats>| {
            let counts = stats.snapshot();
            counts.parks + counts.wakes
        };
        self.0.iter().map(calls).sum()
    }
}

impl Caller for Asks {
    #[inline(always)]
    fn call(&mut self, number: u32) -> io::Result<u32> {
        let answer = self
            .0
            .call(&number.to_ne_bytes(), None)
            .map_err(io::Error::other)?;
        decode(&answer)
    }
}

impl Answerer for Answers {
    fn serve(&mut self) -> io::Result<()> {
        loop {
            let request = self.0.next(None).map_err(io::Error::other)?;
            self.0.reply(&request).map_err(io::Error::other)?;
            if decode(&request)? == STOP {
                return Ok(());
            }
        }
    }
}

#[inline(always)]
fn decode(message: &Message) -> io::Result<u32> {
    let bytes = <[u8; 4]>::try_from(message.as_ref()).map_err(io::Error::other)?;
    Ok(u32::from_ne_bytes(bytes))
}
