// SPDX-License-Identifier: MIT
//! The side that answers.

use crate::bell::Bell;
use crate::end::End;
use crate::error::WaitError;
use crate::message::Message;
use crate::policy::Policy;
use crate::slots::SlotRef;
use crate::state::{Side, State, Word};
use crate::stats::Stats;
use crate::wait::Wait;
use std::sync::Arc;
use std::time::Instant;

/// The server's end of a slot: takes one operation at a time and answers it. Dropping it closes it.
#[derive(Debug)]
pub struct Server {
    pub(crate) end: End,
    policy: Arc<Policy>,
}

impl Server {
    /// The server's end of `slot`, which is fresh. It sleeps by `request_bell` and rings
    /// `reply_bell`; the client's end is given the same two.
    pub fn new(slot: SlotRef, policy: Arc<Policy>, request_bell: Bell, reply_bell: Bell) -> Self {
        Self {
            end: End::new(slot, Side::Server, reply_bell, request_bell),
            policy,
        }
    }

    /// Waits for the next operation.
    ///
    /// # Errors
    ///
    /// `TimedOut`; `OutOfTurn` if the last one is not answered; `Closed`, `Dead`, `Protocol`: none
    /// will come.
    #[inline]
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Message, WaitError> {
        self.ready()?;
        match self.policy.wait(&mut self.end, deadline) {
            Some(taken) => self.take(taken),
            None => Err(WaitError::TimedOut),
        }
    }

    /// Takes the next operation if it is there.
    ///
    /// # Errors
    ///
    /// As [`next`](Server::next), but never `TimedOut`.
    #[inline]
    pub fn try_next(&mut self) -> Result<Option<Message>, WaitError> {
        self.ready()?;
        match self.end.poll() {
            Some(taken) => self.take(taken).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn ready(&self) -> Result<(), WaitError> {
        self.end.check()?;
        if self.end.is_idle() {
            Ok(())
        } else {
            Err(WaitError::OutOfTurn)
        }
    }

    #[inline]
    pub(crate) fn take(&self, taken: Result<Word, WaitError>) -> Result<Message, WaitError> {
        taken.map(|word| self.end.fetch(word))
    }

    /// Answers the operation taken, with at most [`INLINE`](crate::INLINE) bytes. Right also if the
    /// client has given it up, or has gone: nobody reads it then.
    ///
    /// # Errors
    ///
    /// `OutOfTurn` if none is taken; `TooLong`: it can be answered still; `Dead`, `Protocol` once the
    /// slot has ended.
    #[inline]
    pub fn reply(&mut self, reply: &[u8]) -> Result<(), WaitError> {
        self.end.check()?;
        if self.end.is_idle() {
            return Err(WaitError::OutOfTurn);
        }
        self.end.publish(
            self.end.mine.next_full(reply.len() as u8),
            reply,
            Some(&self.policy),
        )
    }

    /// Whether the client has given up the operation taken, or is gone: for an operation that takes
    /// long and can stop early. It is to be answered all the same.
    pub fn is_abandoned(&self) -> bool {
        let word = self.end.other().look();
        !self.end.is_idle() && (word.is_ended() || word.state() == Some(State::Abandoned))
    }

    /// Leaves: the client learns it from its next look. Dropping does the same.
    pub fn close(&mut self) {
        self.end.close();
    }

    /// What this end has done.
    pub fn stats(&self) -> &Arc<Stats> {
        self.end.stats()
    }
}
