// SPDX-License-Identifier: MIT
//! What both ends of a slot have in common: they publish their block and wait for the other one.

use crate::bell::Bell;
use crate::cpu;
use crate::error::WaitError;
use crate::message::Message;
use crate::points;
use crate::policy::Policy;
use crate::presence::{self, Peer};
use crate::slot::Block;
use crate::slots::SlotRef;
use crate::state::{Change, INLINE, Side, State, Word, judge};
use crate::stats::Stats;
use crate::strategy::Strategy;
use crate::wait::Wait;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// One end of a slot: the single publisher of its own block.
#[derive(Debug)]
pub(crate) struct End {
    slot: SlotRef,
    side: Side,
    /// Wakes the peer.
    rings: Bell,
    /// Wakes this side.
    pub(crate) hears: Bell,
    /// The word last published.
    pub(crate) mine: Word,
    /// The peer's word last judged.
    pub(crate) theirs: Word,
    /// Why nothing more will come, once it is so.
    ended: Option<WaitError>,
    /// The presence last published.
    presence: u32,
    /// Whether the last publication woke the peer.
    woke: bool,
    stats: Arc<Stats>,
}

impl End {
    pub(crate) fn new(slot: SlotRef, side: Side, rings: Bell, hears: Bell) -> Self {
        Self {
            slot,
            side,
            rings,
            hears,
            mine: Word::EMPTY,
            theirs: Word::EMPTY,
            ended: None,
            presence: 0,
            woke: false,
            stats: Arc::default(),
        }
    }

    #[inline]
    fn own(&self) -> &Block {
        self.slot.block(self.side)
    }

    /// The peer's block.
    #[inline]
    pub(crate) fn other(&self) -> &Block {
        match self.side {
            Side::Client => self.slot.block(Side::Server),
            Side::Server => self.slot.block(Side::Client),
        }
    }

    #[inline]
    pub(crate) fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// Counts in `stats` from now on, which is written by this thread alone.
    pub(crate) fn count_in(&mut self, stats: Arc<Stats>) {
        self.stats = stats;
    }

    /// Whether the last operation was answered: nothing is posted, or taken, and unanswered.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.mine.seq() == self.theirs.seq()
    }

    /// The error that ended it, if one has.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), WaitError> {
        match self.ended {
            None => Ok(()),
            Some(why) => Err(why),
        }
    }

    /// Publishes `word` with `message` and wakes the peer if it announced itself, or if `policy` is
    /// to wake it in any case.
    #[inline]
    pub(crate) fn publish(
        &mut self,
        word: Word,
        message: &[u8],
        policy: Option<&Policy>,
    ) -> Result<(), WaitError> {
        if message.len() > INLINE {
            return Err(WaitError::TooLong);
        }
        let old = self.own().publish(word, message);
        points::at("A: published");
        self.woke = old.is_announced();
        if self.woke || policy.is_some_and(|policy| policy.strategy() == Strategy::Waitqueue) {
            self.ring();
        }
        if old.unannounced() != self.mine {
            return Err(self.disturbed(old));
        }
        self.mine = word;
        Ok(())
    }

    #[cold]
    fn ring(&self) {
        self.stats.wake();
        self.rings.ring(&self.own().word, self.slot.scope());
    }

    /// Somebody else wrote this side's own word: a guardian that believes it dead, or a peer that
    /// breaks the protocol. In both cases the slot is given up.
    #[cold]
    fn disturbed(&mut self, old: Word) -> WaitError {
        let (word, why) = match old.state() {
            Some(State::Dead) => (self.mine.dead(), WaitError::Dead),
            _ => (self.mine.closed(), WaitError::Protocol),
        };
        self.mine = word;
        self.ended = Some(why);
        if self.own().publish(word, &[]).is_announced() {
            self.ring();
        }
        why
    }

    /// Leaves in order; a second time is nothing.
    pub(crate) fn close(&mut self) {
        if !self.mine.is_ended() {
            // Who is closed needs no other word on how that went.
            let _ = self.publish(self.mine.closed(), &[], None);
        }
        self.ended.get_or_insert(WaitError::Closed);
    }

    /// Copies the message that `word`, as judged, announced.
    #[inline]
    pub(crate) fn fetch(&self, word: Word) -> Message {
        self.stats.handoff();
        self.other().fetch(word.len())
    }

    /// Announces this side in the peer's word, if it is not announced there still; false if the word changed
    /// since last judged.
    #[inline]
    pub(crate) fn announce(&self) -> bool {
        // A standing announcement is as good as a new one: whoever publishes takes it and rings.
        self.other().look() == self.theirs.announced() || self.other().announce(self.theirs)
    }

    /// Takes the announcement back, if it still stands.
    #[inline]
    pub(crate) fn withdraw(&self) {
        self.other().withdraw(self.theirs);
    }

    /// Tells the peer where this side is, if that changed.
    #[inline]
    pub(crate) fn show(&mut self, presence: u32) {
        if self.presence != presence {
            self.presence = presence;
            // Relaxed: a hint that orders nothing.
            self.own().presence.store(presence, Relaxed);
        }
    }

    /// Acts on the peer's word `next`, which changed.
    #[inline]
    fn meet(&mut self, next: Word) -> Option<Result<Word, WaitError>> {
        let change = judge(self.side, self.mine, self.theirs, next);
        // A reply whose server has gone since is taken first; the next look finds the end.
        self.theirs = if change == Change::Message {
            next.body()
        } else {
            next
        };
        match change {
            Change::Message => Some(Ok(self.theirs)),
            Change::Abandoned if self.side == Side::Client => Some(Ok(next)),
            Change::LateAbandoned => None,
            // forgo: so that the client can use the slot again.
            Change::Abandoned => match self.publish(self.mine.next_abandoned(), &[], None) {
                Ok(()) => None,
                Err(why) => Some(Err(why)),
            },
            Change::Closed => Some(Err(self.end(WaitError::Closed))),
            Change::Dead => Some(Err(self.end(WaitError::Dead))),
            Change::Garbage => Some(Err(self.end(WaitError::Protocol))),
        }
    }

    #[cold]
    fn end(&mut self, why: WaitError) -> WaitError {
        *self.ended.insert(why)
    }
}

impl Wait for End {
    type Item = Result<Word, WaitError>;

    #[inline]
    fn poll(&mut self) -> Option<Self::Item> {
        let next = self.other().look().unannounced();
        if next == self.theirs {
            None
        } else {
            self.meet(next)
        }
    }

    #[inline]
    fn peer(&mut self) -> Peer {
        let cpu = cpu::current();
        self.show(presence::running(cpu));
        Peer::read(self.other().presence.load(Relaxed), cpu, self.woke)
    }

    #[cold]
    fn sleep(&mut self, deadline: Option<Instant>) {
        if !self.announce() {
            return;
        }
        points::at("C: announced");
        self.stats.park();
        self.show(presence::asleep(cpu::current()));
        let expected = self.theirs.announced().bits();
        self.hears
            .sleep(&self.other().word, expected, self.slot.scope(), deadline);
        points::at("C: awake");
        self.show(presence::running(cpu::current()));
        self.withdraw();
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // A model that failed has no memory left to publish in.
        #[cfg(loom)]
        if std::thread::panicking() {
            return;
        }
        self.close();
    }
}
