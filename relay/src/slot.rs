// SPDX-License-Identifier: MIT
//! The slot as it lies in memory, and the moves on its words. What they mean stands in
//! [`state`](crate::state); nothing outside this file touches a word.
//!
//! The orderings, with their partners (the columns stand in `docs/relay`):
//!
//! - (A) *publish*: exchange, Release. Partner (B). What was written into the block, and into the
//!   payload, before it is seen by whoever sees the word. It orders as well this side's *reading* of
//!   the other block before the other side's next writing to it: the other side writes only after
//!   its own (B) has seen this word.
//! - (B) *look*: load, Acquire. Partner (A).
//! - (C) *announce*, *withdraw*: compare-and-swap, Relaxed. They order nothing but themselves: only
//!   the one order of all changes to one word is needed, and a read-modify-write does not break the
//!   release sequence that (A) heads.
//! - (F) *bury*: or, Release. Partner (B). Orders what the guardian did before with what the peer does
//!   after; as a read-modify-write it keeps what (A) heads.
//! - (D) *reset*: store, Release. Partner: whatever hands the slot to its new ends.
//! - Inline bytes are Relaxed: (A) and (B) order them. Presence is Relaxed: it is a hint.

use crate::futex::Futex;
use crate::message::{self, Message};
use crate::points;
use crate::state::{DEAD, INLINE, Side, Word};
use crate::sync::AtomicU64;
#[cfg(not(loom))]
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, Ordering::*};

const WORDS: usize = INLINE / 8;

/// One direction of a slot: 128 bytes, published by one side.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Block {
    /// See [`state`](crate::state).
    pub(crate) word: Futex,
    /// Where the publisher is; see [`presence`](crate::presence).
    pub(crate) presence: AtomicU32,
    /// The message.
    inline: [AtomicU64; WORDS],
}

/// One operation in flight: 256 bytes, a block for each direction.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Slot {
    request: Block,
    reply: Block,
}

#[cfg(not(loom))]
impl Block {
    /// Where its word lies.
    pub const WORD_OFFSET: usize = offset_of!(Block, word);
    /// Where its publisher's presence lies.
    pub const PRESENCE_OFFSET: usize = offset_of!(Block, presence);
    /// Where its message lies.
    pub const INLINE_OFFSET: usize = offset_of!(Block, inline);
}

#[cfg(not(loom))]
impl Slot {
    /// Where the client's block lies.
    pub const REQUEST_OFFSET: usize = offset_of!(Slot, request);
    /// Where the server's block lies.
    pub const REPLY_OFFSET: usize = offset_of!(Slot, reply);
}

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Block>() == 128 && align_of::<Block>() == 128);
    assert!(size_of::<Slot>() == 256 && align_of::<Slot>() == 128);
};

impl Slot {
    pub(crate) fn new() -> Self {
        Self {
            request: Block::new(),
            reply: Block::new(),
        }
    }

    /// The block that `side` publishes.
    #[inline]
    pub(crate) fn block(&self, side: Side) -> &Block {
        match side {
            Side::Client => &self.request,
            Side::Server => &self.reply,
        }
    }

    /// Makes a slot that both sides have left a fresh one; false if one has not.
    pub(crate) fn reset(&self) -> bool {
        let ended = self.request.look().is_ended() && self.reply.look().is_ended();
        if ended {
            for block in [&self.request, &self.reply] {
                block.presence.store(0, Relaxed);
                // (D) only an owner that knows both ends to be gone comes here.
                block.word.swap(Word::EMPTY.bits(), Release);
            }
        }
        ended
    }
}

impl Block {
    fn new() -> Self {
        Self {
            word: Futex::new(Word::EMPTY.bits()),
            presence: AtomicU32::new(0),
            inline: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Publishes `word` with `message`; the old word says whether the peer is to be woken.
    #[inline]
    pub(crate) fn publish(&self, word: Word, message: &[u8]) -> Word {
        message::scatter(message, |i, bytes| self.inline[i].store(bytes, Relaxed));
        points::at("A: publish");
        #[cfg(any(loom, test))]
        if let Some(old) = crate::planted::publish(&self.word, word) {
            return old;
        }
        // (A) partner (B)
        Word::from_bits(self.word.swap(word.bits(), Release))
    }

    /// Marks the publisher dead and leaves all else; the old word says whether the peer is to be
    /// woken.
    #[cold]
    pub(crate) fn bury(&self) -> Word {
        // (F)
        Word::from_bits(self.word.fetch_or(DEAD, Release))
    }

    /// Reads the word, once.
    #[inline]
    pub(crate) fn look(&self) -> Word {
        points::at("B: look");
        // (B) partner (A)
        Word::from_bits(self.word.load(Acquire))
    }

    /// Copies the message of `len` bytes out, after a look that showed it.
    #[inline]
    pub(crate) fn fetch(&self, len: usize) -> Message {
        points::at("B: fetch");
        Message::gather(len, |i| self.inline[i].load(Relaxed))
    }

    /// Announces the peer, if the word is still as last `seen`; false if it changed.
    #[inline]
    pub(crate) fn announce(&self, seen: Word) -> bool {
        points::at("C: announce");
        #[cfg(any(loom, test))]
        if let Some(done) = crate::planted::announce(&self.word, seen) {
            return done;
        }
        // (C)
        self.word
            .compare_exchange(seen.bits(), seen.announced().bits(), Relaxed)
    }

    /// Takes an announcement back that no publication has taken.
    #[inline]
    pub(crate) fn withdraw(&self, seen: Word) {
        points::at("C: withdraw");
        // The load spares the publisher's cache line a failing exchange in the usual case.
        if self.word.load(Relaxed) == seen.announced().bits() {
            // (C)
            self.word
                .compare_exchange(seen.announced().bits(), seen.bits(), Relaxed);
        }
    }
}
