// SPDX-License-Identifier: MIT
//! The side that posts operations.

use crate::bell::Bell;
use crate::end::End;
use crate::error::WaitError;
use crate::message::Message;
use crate::policy::Policy;
use crate::slots::SlotRef;
use crate::state::{Side, State};
use crate::stats::Stats;
use crate::wait::Wait;
use std::sync::Arc;
use std::time::Instant;

/// The client's end of a slot: posts one operation at a time and waits for its reply. Dropping it
/// closes it.
#[derive(Debug)]
pub struct Client {
    end: End,
    policy: Arc<Policy>,
}

impl Client {
    /// The client's end of `slot`, which is fresh. It rings `request_bell` and sleeps by
    /// `reply_bell`; the server's end is given the same two.
    pub fn new(slot: SlotRef, policy: Arc<Policy>, request_bell: Bell, reply_bell: Bell) -> Self {
        Self {
            end: End::new(slot, Side::Client, request_bell, reply_bell),
            policy,
        }
    }

    /// Whether an operation is posted whose reply was not taken.
    #[inline]
    pub fn is_posted(&self) -> bool {
        !self.end.is_idle() && self.end.mine.state() == Some(State::Full)
    }

    /// Posts an operation of at most [`INLINE`](crate::INLINE) bytes.
    ///
    /// # Errors
    ///
    /// `OutOfTurn` if one is posted already; `Busy` while the slot is orphaned; `TooLong`; `Closed`,
    /// `Dead`, `Protocol` once the slot has ended.
    #[inline]
    pub fn post(&mut self, request: &[u8]) -> Result<(), WaitError> {
        self.end.check()?;
        if !self.end.is_idle() {
            self.turn_idle()?;
        }
        self.end.publish(
            self.end.mine.next_full(request.len() as u8),
            request,
            Some(&self.policy),
        )
    }

    /// Not idle: is that an orphan whose reply came in the meantime?
    #[cold]
    fn turn_idle(&mut self) -> Result<(), WaitError> {
        if self.is_posted() {
            return Err(WaitError::OutOfTurn);
        }
        match self.end.poll() {
            None => Err(WaitError::Busy),
            Some(reply) => reply.map(drop),
        }
    }

    /// Waits for the reply to the operation posted.
    ///
    /// # Errors
    ///
    /// `TimedOut`: the operation is in flight still: wait again, or [`abandon`](Client::abandon) it.
    /// `OutOfTurn` if none is posted. `Closed`, `Dead`, `Protocol`: no reply will come; whether the
    /// server did the operation is unknown.
    #[inline]
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<Message, WaitError> {
        self.end.check()?;
        if !self.is_posted() {
            return Err(WaitError::OutOfTurn);
        }
        match self.policy.wait(&mut self.end, deadline) {
            Some(Ok(word)) => Ok(self.end.fetch(word)),
            Some(Err(why)) => Err(why),
            None => Err(WaitError::TimedOut),
        }
    }

    /// Posts an operation and waits for its reply; past `deadline` it is abandoned.
    ///
    /// # Errors
    ///
    /// Those of [`post`](Client::post) and [`wait`](Client::wait).
    #[inline]
    pub fn call(&mut self, request: &[u8], deadline: Option<Instant>) -> Result<Message, WaitError> {
        self.post(request)?;
        match self.wait(deadline) {
            Err(WaitError::TimedOut) => self.abandon()?.ok_or(WaitError::TimedOut),
            result => result,
        }
    }

    /// Gives the operation in flight up. If its reply is there by now, here it is; else the slot is
    /// orphaned: the server may be at work on it, payload included, until the reply has come.
    ///
    /// # Errors
    ///
    /// `OutOfTurn` if none is posted; `Closed`, `Dead`, `Protocol` as for [`wait`](Client::wait).
    #[cold]
    pub fn abandon(&mut self) -> Result<Option<Message>, WaitError> {
        self.end.check()?;
        if !self.is_posted() {
            return Err(WaitError::OutOfTurn);
        }
        self.end
            .publish(self.end.mine.abandoned(), &[], Some(&self.policy))?;
        match self.end.poll() {
            Some(Ok(word)) if word.state() == Some(State::Full) => Ok(Some(self.end.fetch(word))),
            Some(Err(why)) => Err(why),
            _ => Ok(None),
        }
    }

    /// Waits until an orphaned slot can be used again, dropping the late reply.
    ///
    /// # Errors
    ///
    /// `TimedOut`; `OutOfTurn` if an operation is posted that was not abandoned; `Closed`, `Dead`,
    /// `Protocol`.
    #[cold]
    pub fn reclaim(&mut self, deadline: Option<Instant>) -> Result<(), WaitError> {
        self.end.check()?;
        if self.end.is_idle() {
            return Ok(());
        }
        if self.is_posted() {
            return Err(WaitError::OutOfTurn);
        }
        match self.policy.wait(&mut self.end, deadline) {
            Some(reply) => reply.map(drop),
            None => Err(WaitError::TimedOut),
        }
    }

    /// Leaves: the server learns it from its next look. Dropping does the same.
    pub fn close(&mut self) {
        self.end.close();
    }

    /// What this end has done.
    pub fn stats(&self) -> &Arc<Stats> {
        self.end.stats()
    }
}
