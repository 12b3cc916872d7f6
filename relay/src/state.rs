// SPDX-License-Identifier: MIT
//! The state of a slot: two words, and every legal move.
//!
//! A word says what its block holds: `seq:16 | len:8 | announced:1 | state:7`, from the top. It is
//! *published* by one side, which owns the block; the other only *announces* itself in it before it
//! sleeps, and withdraws that. A guardian may bury a side that is gone.
//!
//! | move | by | word | from | to | order | permits |
//! |---|---|---|---|---|---|---|
//! | `post` | client | request | `EMPTY(0)` `FULL(n)` `ABANDONED(n)`, reply word at `n` | `FULL(n+1)` | (A) | server: read the request block |
//! | `abandon` | client | request | `FULL(n)` | `ABANDONED(n)` | (A) | server: answer without effect; client: nothing until the reply word is at `n` |
//! | `reply` | server | reply | `EMPTY(0)` `FULL(n)` `ABANDONED(n)`, having taken `n+1` | `FULL(n+1)` | (A) | client: read the reply block, then use slot and payload again |
//! | `forgo` | server | reply | as `reply`, request word `ABANDONED(n+1)` and never taken | `ABANDONED(n+1)` | (A) | client: use slot and payload again |
//! | `close` | either | own | `EMPTY` `FULL` `ABANDONED` | `CLOSED(n)` | (A) | peer: end; it will not be touched by this side again |
//! | `bury` | guardian | the dead side's | any | `DEAD(0)` | (A) | peer: end; as `close` |
//! | `announce` | peer | other's | `EMPTY` `FULL` `ABANDONED`, unannounced, as last seen | the same, announced | (C) | peer: sleep while the word stays as it is |
//! | `withdraw` | peer | other's | as announced | the same, unannounced | (C) | |
//! | `reset` | owner of the memory | both | `CLOSED` or `DEAD` in both | `EMPTY(0)` | (D) | two new ends |
//!
//! Every publication (A) is one atomic exchange of the whole word. Its old value tells the publisher
//! whether the peer had announced itself, and the exchange takes the announcement away: whoever finds
//! it rings the peer's bell, once. An announcement (C) is a compare-and-swap against the word as last
//! seen, so the recheck before sleeping is part of it: exchange and compare-and-swap on one word have
//! one order, hence either the publisher sees the announcement or the announcer sees the publication.
//! A look at a word is (B). The columns stand in `docs/relay`.
//!
//! `n` counts operations from 1 and wraps; a fresh slot is all zero. Sequence numbers make each
//! publication distinct, so a consumer need not write the block that it consumes.

use std::fmt;

/// Bytes of message that a block carries.
pub const INLINE: usize = 120;

/// Where the sequence number starts in a word.
pub const SEQ_SHIFT: u32 = 16;
/// Where the length starts in a word.
pub const LEN_SHIFT: u32 = 8;
/// The bit by which the peer announces that it sleeps, or is about to.
pub const ANNOUNCED: u32 = 0x80;
/// The bits of the state.
pub const STATE_MASK: u32 = 0x7f;

/// One of the two sides of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that posts operations and publishes the request block.
    Client,
    /// The one that answers and publishes the reply block.
    Server,
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Nothing was ever published.
    Empty = 0,
    /// The message of operation `seq`.
    Full = 1,
    /// Request: the client gave operation `seq` up; the slot is orphaned until the reply word is at
    /// `seq`. Reply: the server never began it.
    Abandoned = 2,
    /// The publisher left in order.
    Closed = 3,
    /// A guardian found the publisher gone.
    Dead = 4,
}

/// A word of a slot, as read once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Word(u32);

impl Word {
    /// A fresh slot's.
    pub const EMPTY: Self = Self::new(0, 0, State::Empty);
    /// What a guardian leaves.
    pub const DEAD: Self = Self::new(0, 0, State::Dead);

    /// The word of operation `seq` with `len` bytes of message.
    #[inline]
    pub const fn new(seq: u16, len: u8, state: State) -> Self {
        Self((seq as u32) << SEQ_SHIFT | (len as u32) << LEN_SHIFT | state as u32)
    }

    /// Any 32 bits, as found in memory: not necessarily a word that somebody may write.
    #[inline]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Its 32 bits.
    #[inline]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Which operation it belongs to.
    #[inline]
    pub const fn seq(self) -> u16 {
        (self.0 >> SEQ_SHIFT) as u16
    }

    /// Bytes of message in the block: up to 255, unless checked.
    #[inline]
    pub const fn len(self) -> usize {
        (self.0 >> LEN_SHIFT & 0xff) as usize
    }

    /// Whether the block holds no bytes.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Its state, if it is one.
    #[inline]
    pub const fn state(self) -> Option<State> {
        match self.0 & STATE_MASK {
            0 => Some(State::Empty),
            1 => Some(State::Full),
            2 => Some(State::Abandoned),
            3 => Some(State::Closed),
            4 => Some(State::Dead),
            _ => None,
        }
    }

    /// Whether the peer of its publisher has announced itself.
    #[inline]
    pub const fn is_announced(self) -> bool {
        self.0 & ANNOUNCED != 0
    }

    /// The same, announced.
    #[inline]
    pub const fn announced(self) -> Self {
        Self(self.0 | ANNOUNCED)
    }

    /// The same, without an announcement.
    #[inline]
    pub const fn unannounced(self) -> Self {
        Self(self.0 & !ANNOUNCED)
    }

    /// Whether its publisher is gone for good: closed or dead.
    #[inline]
    pub const fn is_ended(self) -> bool {
        matches!(self.state(), Some(State::Closed | State::Dead))
    }

    /// The word that `post` or `reply` puts after it.
    #[inline]
    pub const fn next_full(self, len: u8) -> Self {
        Self::new(self.seq().wrapping_add(1), len, State::Full)
    }

    /// The word that `forgo` puts after it.
    #[inline]
    pub const fn next_abandoned(self) -> Self {
        Self::new(self.seq().wrapping_add(1), 0, State::Abandoned)
    }

    /// The word that `abandon` puts after it.
    #[inline]
    pub const fn abandoned(self) -> Self {
        Self::new(self.seq(), 0, State::Abandoned)
    }

    /// The word that `close` puts after it.
    #[inline]
    pub const fn closed(self) -> Self {
        Self::new(self.seq(), 0, State::Closed)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state() {
            Some(state) => write!(f, "{state:?}({}, {} bytes)", self.seq(), self.len())?,
            None => write!(f, "garbage {:#010x}", self.0)?,
        }
        if self.is_announced() {
            f.write_str(" announced")?;
        }
        Ok(())
    }
}

/// What a changed word of the peer's means to a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It published the message that this side waits for.
    Message,
    /// To the server: the client gave up an operation that was never taken. To the client: the
    /// server never began the one given up.
    Abandoned,
    /// To the server: the client gave up the operation that was already taken.
    LateAbandoned,
    /// It left in order.
    Closed,
    /// It was buried.
    Dead,
    /// No legal move leads here.
    Garbage,
}

/// Judges the peer's word `next`, which differs from `theirs`, the last one judged. `mine` is this
/// side's own word. Neither carries an announcement.
///
/// Whatever the peer may have written, the answer is one that this side can act on.
#[inline]
pub fn judge(side: Side, mine: Word, theirs: Word, next: Word) -> Change {
    let expected = theirs.seq().wrapping_add(1);
    match next.state() {
        Some(State::Full) if next.seq() == expected && next.len() <= INLINE => match side {
            // A reply is one only to an operation that was posted.
            Side::Client if mine.seq() != expected => Change::Garbage,
            _ => Change::Message,
        },
        Some(State::Abandoned) if next.is_empty() => match side {
            Side::Client if next == mine && next.seq() == expected => Change::Abandoned,
            Side::Server if next.seq() == expected => Change::Abandoned,
            Side::Server if next == theirs.abandoned() && theirs.state() == Some(State::Full) => {
                Change::LateAbandoned
            }
            _ => Change::Garbage,
        },
        Some(State::Closed) => Change::Closed,
        Some(State::Dead) => Change::Dead,
        _ => Change::Garbage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::*;

    const STATES: [State; 5] = [Empty, Full, Abandoned, Closed, Dead];

    #[test]
    fn a_word_keeps_what_it_is_made_of() {
        for state in STATES {
            for seq in [0, 1, 0x1234, u16::MAX] {
                for len in [0, 1, 120, 255] {
                    let word = Word::new(seq, len, state);
                    assert_eq!((word.seq(), word.len()), (seq, usize::from(len)));
                    assert_eq!(word.state(), Some(state));
                    assert!(!word.is_announced());
                    assert!(word.announced().is_announced());
                    assert_eq!(word.announced().state(), Some(state));
                    assert_eq!(word.announced().unannounced(), word);
                    assert_eq!(word.is_ended(), matches!(state, Closed | Dead));
                }
            }
        }
        assert_eq!(Word::EMPTY.bits(), 0, "a zeroed slot is a fresh one");
        assert!((5..=STATE_MASK).all(|bits| Word::from_bits(bits).state().is_none()));
    }

    /// What the table says of the peer's next word, written as the table is: a list of moves.
    fn by_table(side: Side, mine: Word, theirs: Word, next: Word) -> Change {
        let after = |len| theirs.next_full(len);
        let message = (0..=INLINE).any(|len| next == after(len as u8));
        match side {
            // post, abandon (taken and not), close, bury
            Side::Server if message => Change::Message,
            Side::Server if next == theirs.next_abandoned() => Change::Abandoned,
            Side::Server if theirs.state() == Some(Full) && next == theirs.abandoned() => {
                Change::LateAbandoned
            }
            // reply, forgo, close, bury
            Side::Client if message && mine.seq() == next.seq() => Change::Message,
            Side::Client if next == theirs.next_abandoned() && next == mine => Change::Abandoned,
            _ if next.state() == Some(Closed) => Change::Closed,
            _ if next.state() == Some(Dead) => Change::Dead,
            _ => Change::Garbage,
        }
    }

    #[test]
    fn every_word_is_judged_as_the_table_says() {
        let seqs = [0u16, 1, 2, 3, u16::MAX - 1, u16::MAX];
        let mut words = Vec::new();
        for seq in seqs {
            for len in [0u8, 8, 120, 121, 255] {
                for state in [0u32, 1, 2, 3, 4, 5, 0x7f] {
                    words.push(Word::from_bits(
                        u32::from(seq) << 16 | u32::from(len) << 8 | state,
                    ));
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        for seq in seqs {
            for (side, lead) in [(Side::Client, 0), (Side::Client, 1), (Side::Server, 0)] {
                for was in [Empty, Full, Abandoned] {
                    for is in [Full, Abandoned] {
                        let theirs = Word::new(seq, 0, was);
                        let mine = Word::new(seq.wrapping_add(lead), 0, is);
                        for &next in words.iter().filter(|next| **next != theirs) {
                            let verdict = judge(side, mine, theirs, next);
                            let context = format!("{side:?} {mine:?} {theirs:?} -> {next:?}");
                            assert_eq!(verdict, by_table(side, mine, theirs, next), "{context}");
                            seen.insert(format!("{side:?} {verdict:?}"));
                        }
                    }
                }
            }
        }
        assert_eq!(seen.len(), 11, "all of them: {seen:?}");
    }
}
