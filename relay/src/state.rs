// SPDX-License-Identifier: MIT
//! The state of a slot: two words, and every legal move.
//!
//! A word says what its block holds: `seq:16 | len:8 | announced:1 | dead:1 | closed:1 | content:5`,
//! from the top. It is *published* by one side, which owns the block; the other only *announces*
//! itself in it before it sleeps, and withdraws that. A guardian may bury a side that is gone.
//!
//! | move | by | word | from | to | order | permits |
//! |---|---|---|---|---|---|---|
//! | `post` | client | request | `EMPTY(0)` `FULL(n)` `ABANDONED(n)`, reply word at `n` | `FULL(n+1)` | (A) | server: read the request block |
//! | `abandon` | client | request | `FULL(n)` | `ABANDONED(n)` | (A) | server: answer without effect; client: nothing until the reply word is at `n` |
//! | `reply` | server | reply | `EMPTY(0)` `FULL(n)` `ABANDONED(n)`, having taken `n+1` | `FULL(n+1)` | (A) | client: read the reply block, then use slot and payload again |
//! | `forgo` | server | reply | as `reply`, request word `ABANDONED(n+1)` and never taken | `ABANDONED(n+1)` | (A) | client: use slot and payload again |
//! | `close` | either | own | any | the same, `CLOSED` | (A) | peer: end; this side touches neither slot nor payload again |
//! | `bury` | guardian | the dead side's | any | the same, `DEAD` | (F) | peer: end; as `close`, on the guardian's word |
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
//! publication distinct, so a consumer need not write the block that it consumes. Closing and burying
//! leave them, the length and the content: a reply that was published before its server went is
//! delivered. What a client had posted when it went is not served.
//!
//! Whoever is buried alive finds `DEAD` in the old value of its next publication, marks its word so
//! again, and ends.

use std::fmt;

/// Bytes of message that a block carries.
pub const INLINE: usize = 120;

/// Where the sequence number starts in a word.
pub const SEQ_SHIFT: u32 = 16;
/// Where the length starts in a word.
pub const LEN_SHIFT: u32 = 8;
/// The bit by which the peer announces that it sleeps, or is about to.
pub const ANNOUNCED: u32 = 0x80;
/// The bit by which a guardian says that the publisher is gone.
pub const DEAD: u32 = 0x40;
/// The bit by which the publisher says that it has left in order.
pub const CLOSED: u32 = 0x20;
/// The bits that say what the block holds: [`EMPTY`], [`FULL`] or [`ABANDONED`].
pub const CONTENT_MASK: u32 = 0x1f;
/// Content: nothing was ever published.
pub const EMPTY: u32 = 0;
/// Content: the message of operation `seq`.
pub const FULL: u32 = 1;
/// Content: operation `seq` was given up (see [`State::Abandoned`]).
pub const ABANDONED: u32 = 2;

/// One of the two sides of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that posts operations and publishes the request block.
    Client,
    /// The one that answers and publishes the reply block.
    Server,
}

/// The state of a block and its publisher. Who is dead is so whatever else the word says; who is
/// closed, whatever the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing was ever published.
    Empty,
    /// The message of operation `seq`.
    Full,
    /// Request: the client gave operation `seq` up; the slot is orphaned until the reply word is at
    /// `seq`. Reply: the server never began it.
    Abandoned,
    /// The publisher left in order.
    Closed,
    /// A guardian found the publisher gone.
    Dead,
}

/// A word of a slot, as read once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Word(u32);

impl Word {
    /// A fresh slot's.
    pub const EMPTY: Self = Self::new(0, 0, EMPTY);

    /// The word of operation `seq` with `len` bytes of message.
    #[inline]
    pub const fn new(seq: u16, len: u8, content: u32) -> Self {
        Self((seq as u32) << SEQ_SHIFT | (len as u32) << LEN_SHIFT | content)
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
        if self.0 & DEAD != 0 {
            return Some(State::Dead);
        }
        if self.0 & CLOSED != 0 {
            return Some(State::Closed);
        }
        match self.0 & CONTENT_MASK {
            EMPTY => Some(State::Empty),
            FULL => Some(State::Full),
            ABANDONED => Some(State::Abandoned),
            _ => None,
        }
    }

    /// Whether the peer of its publisher has announced itself.
    #[inline]
    pub const fn is_announced(self) -> bool {
        self.0 & ANNOUNCED != 0
    }

    /// Whether its publisher is gone for good: closed or dead.
    #[inline]
    pub const fn is_ended(self) -> bool {
        self.0 & (CLOSED | DEAD) != 0
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

    /// What was published before the end: the same, neither closed nor dead nor announced.
    #[inline]
    pub const fn body(self) -> Self {
        Self(self.0 & !(ANNOUNCED | CLOSED | DEAD))
    }

    /// The word that `post` or `reply` puts after it.
    #[inline]
    pub const fn next_full(self, len: u8) -> Self {
        Self::new(self.seq().wrapping_add(1), len, FULL)
    }

    /// The word that `forgo` puts after it.
    #[inline]
    pub const fn next_abandoned(self) -> Self {
        Self::new(self.seq().wrapping_add(1), 0, ABANDONED)
    }

    /// The word that `abandon` puts after it.
    #[inline]
    pub const fn abandoned(self) -> Self {
        Self::new(self.seq(), 0, ABANDONED)
    }

    /// The word that `close` puts after it.
    #[inline]
    pub const fn closed(self) -> Self {
        Self(self.0 | CLOSED)
    }

    /// The word that `bury` puts after it.
    #[inline]
    pub const fn dead(self) -> Self {
        Self(self.0 | DEAD)
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
/// side's own word. None carries an announcement.
///
/// Whatever the peer may have written, the answer is one that this side can act on.
#[inline]
pub fn judge(side: Side, mine: Word, theirs: Word, next: Word) -> Change {
    match side {
        Side::Client => judge_reply(mine, theirs, next),
        Side::Server => judge_request(theirs, next),
    }
}

#[inline]
fn judge_reply(mine: Word, theirs: Word, next: Word) -> Change {
    let (expected, body) = (theirs.seq().wrapping_add(1), next.body());
    // Only to an operation that was posted, and also if the server has gone since.
    if mine.seq() == expected && body.seq() == expected {
        match body.state() {
            Some(State::Full) if body.len() <= INLINE => return Change::Message,
            Some(State::Abandoned) if next == mine => return Change::Abandoned,
            _ => {}
        }
    }
    judge_end(next)
}

#[inline]
fn judge_request(theirs: Word, next: Word) -> Change {
    let expected = theirs.seq().wrapping_add(1);
    match next.state() {
        Some(State::Full) if next.seq() == expected && next.len() <= INLINE => Change::Message,
        Some(State::Abandoned) if next == theirs.next_abandoned() => Change::Abandoned,
        Some(State::Abandoned) if next == theirs.abandoned() && theirs.state() == Some(State::Full) => {
            Change::LateAbandoned
        }
        _ => judge_end(next),
    }
}

#[inline]
fn judge_end(next: Word) -> Change {
    match next.state() {
        Some(State::Closed) => Change::Closed,
        Some(State::Dead) => Change::Dead,
        _ => Change::Garbage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENTS: [u32; 3] = [EMPTY, FULL, ABANDONED];

    #[test]
    fn a_word_keeps_what_it_is_made_of() {
        for (content, state) in CONTENTS
            .into_iter()
            .zip([State::Empty, State::Full, State::Abandoned])
        {
            for seq in [0, 1, 0x1234, u16::MAX] {
                for len in [0, 1, 120, 255] {
                    let word = Word::new(seq, len, content);
                    let ways = [
                        word,
                        word.announced(),
                        word.closed(),
                        word.dead(),
                        word.closed().dead(),
                    ];
                    for way in ways {
                        assert_eq!((way.seq(), way.len()), (seq, usize::from(len)));
                        assert_eq!(way.body(), word);
                    }
                    assert_eq!(ways.map(Word::is_announced), [false, true, false, false, false]);
                    assert_eq!(ways.map(Word::is_ended), [false, false, true, true, true]);
                    let (closed, dead) = (State::Closed, State::Dead);
                    assert_eq!(
                        ways.map(Word::state),
                        [state, state, closed, dead, dead].map(Some)
                    );
                    assert_eq!(word.announced().unannounced(), word);
                }
            }
        }
        assert_eq!(Word::EMPTY.bits(), 0, "a zeroed slot is a fresh one");
        assert!((3..=CONTENT_MASK).all(|bits| Word::from_bits(bits).state().is_none()));
    }

    /// Every word that the peer can reach by one or more moves of the table, from `theirs`, with what
    /// it means; the table once more, as a list.
    fn reachable(side: Side, mine: Word, theirs: Word) -> Vec<(Word, Change)> {
        let mut list = Vec::new();
        let full = (0..=INLINE).map(|len| theirs.next_full(len as u8));
        match side {
            Side::Server => {
                list.extend(full.map(|post| (post, Change::Message)));
                list.push((theirs.next_abandoned(), Change::Abandoned)); // post, abandon
                if theirs.state() == Some(State::Full) {
                    list.push((theirs.abandoned(), Change::LateAbandoned)); // abandon
                }
            }
            Side::Client if mine.seq() == theirs.seq().wrapping_add(1) => {
                list.extend(full.map(|reply| (reply, Change::Message)));
                if mine.state() == Some(State::Abandoned) {
                    list.push((theirs.next_abandoned(), Change::Abandoned)); // forgo
                }
            }
            Side::Client => {}
        }
        if side == Side::Client {
            // Delivered though the server has gone since.
            for (word, change) in list.clone() {
                if change == Change::Message {
                    list.extend(
                        [word.closed(), word.dead(), word.closed().dead()].map(|word| (word, change)),
                    );
                }
            }
        }
        list
    }

    #[test]
    fn every_word_is_judged_as_the_table_says() {
        let seqs = [0u16, 1, 2, 3, u16::MAX - 1, u16::MAX];
        let mut words = Vec::new();
        for seq in seqs {
            for len in [0u8, 8, 120, 121, 255] {
                for bits in 0..ANNOUNCED {
                    words.push(Word::from_bits(u32::from(seq) << 16 | u32::from(len) << 8 | bits));
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        for seq in seqs {
            for (side, lead) in [(Side::Client, 0), (Side::Client, 1), (Side::Server, 0)] {
                for was in CONTENTS {
                    for is in [FULL, ABANDONED] {
                        let theirs = Word::new(seq, 0, was);
                        let mine = Word::new(seq.wrapping_add(lead), 0, is);
                        let reachable = reachable(side, mine, theirs);
                        for &next in words.iter().filter(|next| **next != theirs) {
                            let listed = reachable.iter().find(|(word, _)| *word == next);
                            let expected = match (listed, next.bits() & DEAD, next.bits() & CLOSED) {
                                (Some((_, change)), ..) => *change,
                                (None, 0, 0) => Change::Garbage,
                                (None, 0, _) => Change::Closed,
                                (None, ..) => Change::Dead,
                            };
                            let verdict = judge(side, mine, theirs, next);
                            assert_eq!(verdict, expected, "{side:?} {mine:?} {theirs:?} -> {next:?}");
                            seen.insert((side, format!("{verdict:?}")));
                        }
                    }
                }
            }
        }
        assert_eq!(seen.len(), 11, "all of them: {seen:?}");
    }

    #[test]
    fn a_reply_outlives_its_server_and_a_request_does_not_outlive_its_client() {
        let (posted, idle) = (Word::new(7, 0, FULL), Word::new(6, 3, FULL));
        let reply = Word::new(7, 5, FULL);
        for (end, change) in [
            (reply.closed(), Change::Closed),
            (reply.closed().dead(), Change::Dead),
        ] {
            assert_eq!(judge(Side::Client, posted, idle, end), Change::Message);
            assert_eq!(
                judge(Side::Client, posted, end.body(), end),
                change,
                "and then it ends"
            );
            assert_eq!(judge(Side::Server, idle, idle, end), change);
        }
    }
}
