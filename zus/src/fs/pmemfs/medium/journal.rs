// SPDX-License-Identifier: MIT
//! The journal: lanes, in each of which one transaction can be between its commit and its end.
//!
//! A lane starts with its *commit word*: 0, or the length and the crc32c of a body of changes that have all
//! happened, whether or not they have been made yet. A transaction
//!
//! 1. writes the body, flushes it (and whatever it stored to blocks that nothing points to yet), fences;
//! 2. stores the commit word, flushes, fences: from here on it has happened;
//! 3. makes the changes, flushes, fences;
//! 4. stores 0, flushes, fences: the lane is free.
//!
//! Replay repeats step 3 and 4. Changes are absolute (bytes) or commute (bits), and whoever makes one holds
//! the locks of what it means until after step 4, so no two lanes ever change the same thing and their
//! order does not matter.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use super::super::format::{BLOCK, Geometry, LANE};
use super::bits::word_mask;
use super::{lock, slot};
use crate::fs::{Error, Result};
use crate::store::Store;

/// Bytes of a lane before its body.
const HEAD: u64 = 64;
/// The largest body in bytes.
pub const CAPACITY: usize = (LANE - HEAD) as usize;

/// What a change does: the first two bytes of the second word of its head.
const WRITE: u16 = 1;
const SET: u16 = 2;
const CLEAR: u16 = 3;

/// The body of a transaction: changes, each a head of two words and, if it writes, the bytes, padded to words.
///
/// Head: where (bytes on the medium); length (bytes or bits, 32 bits), what (16), first bit (16).
#[derive(Debug, Default)]
pub struct Body {
    writes: Vec<u8>,
    /// Where the last write starts, which may still grow.
    last: Option<usize>,
    bits: Vec<u8>,
}

/// A change, read back from a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// These bytes stand at this offset.
    Write(u64, &'a [u8]),
    /// These bits of the bitmap at this offset are set, or clear.
    Bits(u64, Range<u32>, bool),
}

impl Body {
    /// Whether there is no change in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.writes.len() + self.bits.len()
    }

    /// Adds: `bytes`, a multiple of 8 of them, stand at `at`.
    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        debug_assert!(bytes.len().is_multiple_of(8) && at.is_multiple_of(8));
        if let Some(last) = self.last {
            let head = &mut self.writes[last..last + 12];
            let start = u64::from_le_bytes(head[..8].try_into().expect("8 bytes"));
            let len = u32::from_le_bytes(head[8..].try_into().expect("4 bytes"));
            if start + u64::from(len) == at {
                head[8..].copy_from_slice(&(len + bytes.len() as u32).to_le_bytes());
                self.writes.extend_from_slice(bytes);
                return;
            }
        }
        self.last = Some(self.writes.len());
        head(&mut self.writes, at, bytes.len() as u32, WRITE, 0);
        self.writes.extend_from_slice(bytes);
    }

    /// Adds: the bits `range` of the bitmap at `at` are set, or clear.
    pub fn bits(&mut self, at: u64, range: &Range<u32>, set: bool) {
        let what = if set { SET } else { CLEAR };
        head(&mut self.bits, at, range.len() as u32, what, range.start as u16);
    }

    /// Its changes, writes in their order.
    pub fn changes(&self) -> impl Iterator<Item = Result<Change<'_>>> {
        self.writes().chain(Changes(&self.bits))
    }

    /// Its writes alone.
    pub fn writes(&self) -> Changes<'_> {
        Changes(&self.writes)
    }

    fn commit_word(&self) -> u64 {
        commit_word(
            self.len(),
            crc32c::crc32c_append(crc32c::crc32c(&self.writes), &self.bits),
        )
    }
}

fn head(to: &mut Vec<u8>, at: u64, len: u32, what: u16, first: u16) {
    to.extend_from_slice(&at.to_le_bytes());
    to.extend_from_slice(&len.to_le_bytes());
    to.extend_from_slice(&what.to_le_bytes());
    to.extend_from_slice(&first.to_le_bytes());
}

/// The changes of a body. What makes no sense ends them with an error.
#[derive(Debug)]
pub struct Changes<'a>(&'a [u8]);

impl<'a> Changes<'a> {
    fn take(&mut self) -> Option<Change<'a>> {
        let (head, rest) = self.0.split_at_checked(16)?;
        let at = u64::from_le_bytes(head[..8].try_into().ok()?);
        let len = u32::from_le_bytes(head[8..12].try_into().ok()?);
        let what = u16::from_le_bytes(head[12..14].try_into().ok()?);
        let first = u32::from(u16::from_le_bytes(head[14..].try_into().ok()?));
        if what == WRITE {
            let (bytes, rest) = rest.split_at_checked(len as usize)?;
            self.0 = rest;
            return (len % 8 == 0).then_some(Change::Write(at, bytes));
        }
        self.0 = rest;
        let end = first.checked_add(len)?;
        let sound = matches!(what, SET | CLEAR) && u64::from(end) <= BLOCK * 8;
        sound.then_some(Change::Bits(at, first..end, what == SET))
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = Result<Change<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let change = self.take().ok_or(Error::Io);
        if change.is_err() {
            self.0 = &[];
        }
        Some(change)
    }
}

/// The lanes.
#[derive(Debug)]
pub struct Journal {
    start: u64,
    lanes: Vec<Mutex<()>>,
    /// Set once, for good: by whoever unmounts, or if a commit does not come to its end.
    closed: AtomicBool,
}

/// Closes the journal when a commit does not come to its end: what is on the medium is not what is in memory.
struct Unfinished<'a>(&'a Journal);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Relaxed);
    }
}

impl Journal {
    /// The journal of a file system that has been replayed.
    pub fn new(geometry: &Geometry) -> Self {
        Self {
            start: geometry.journal * BLOCK,
            lanes: (0..geometry.lanes).map(|_| Mutex::new(())).collect(),
            closed: AtomicBool::new(false),
        }
    }

    /// Makes all changes in `body` happen, or if this process dies none.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and nothing has happened, if there are more than [`CAPACITY`] bytes of them, or the
    /// journal is [closed](Self::close).
    pub fn commit(&self, store: &dyn Store, body: &Body) -> Result<()> {
        if body.len() > CAPACITY {
            debug_assert!(false, "a transaction of {} bytes", body.len());
            return Err(Error::Io);
        }
        let (_lane, at) = self.lane();
        // Under the lane's lock, through which `close` goes after it is set.
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::Io);
        }
        let unfinished = Unfinished(self);
        store.write(at + HEAD, &body.writes);
        store.write(at + HEAD + body.writes.len() as u64, &body.bits);
        store.flush(at + HEAD, body.len() as u64);
        store.fence();
        store.store(at, body.commit_word());
        store.flush(at, 8);
        store.fence();
        for change in body.changes() {
            apply(store, &change.expect("made by us"));
        }
        store.fence();
        store.store(at, 0);
        store.flush(at, 8);
        store.fence();
        std::mem::forget(unfinished);
        Ok(())
    }

    /// Lets nothing happen from here on. What is happening is over on return.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        for lane in &self.lanes {
            drop(lock(lane));
        }
    }

    /// Whether nothing happens any more.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// A lane of one's own: any that is free, or one that will be.
    fn lane(&self) -> (MutexGuard<'_, ()>, u64) {
        let first = slot(self.lanes.len());
        let order = (0..self.lanes.len()).map(|i| (first + i) % self.lanes.len());
        for i in order {
            match self.lanes[i].try_lock() {
                Ok(guard) => return (guard, self.start + i as u64 * LANE),
                Err(TryLockError::WouldBlock) => {}
                // Whoever panicked here left its transaction half made, for the next mount to replay.
                Err(TryLockError::Poisoned(_)) => {}
            }
        }
        (lock(&self.lanes[first]), self.start + first as u64 * LANE)
    }
}

/// What replay found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Transactions that had happened and are now made.
    pub committed: usize,
    /// Lanes whose body does not fit their commit word. The death of a process leaves none; a loss of power
    /// may, of operations that were never synced.
    pub damaged: usize,
}

/// Finishes what was committed when the file system was left.
///
/// # Errors
///
/// If the host has no space for what is changed, or a change makes no sense although its checksum fits.
pub fn replay(store: &dyn Store, geometry: &Geometry) -> Result<Replayed> {
    let mut replayed = Replayed::default();
    for lane in 0..u64::from(geometry.lanes) {
        let at = geometry.journal * BLOCK + lane * LANE;
        let word = store.load(at);
        if word == 0 {
            continue;
        }
        let mut bytes = vec![0; (word >> 32) as usize % (CAPACITY + 1)];
        store.read(at + HEAD, &mut bytes);
        if commit_word(bytes.len(), crc32c::crc32c(&bytes)) == word {
            let changes = Changes(&bytes).collect::<Result<Vec<_>>>()?;
            for change in &changes {
                check(store, geometry, change)?;
            }
            for change in &changes {
                apply(store, change);
            }
            replayed.committed += 1;
        } else {
            replayed.damaged += 1;
        }
        store.fence();
        store.reserve(at, 8)?;
        store.store(at, 0);
        store.flush(at, 8);
        store.fence();
    }
    Ok(replayed)
}

/// How many lanes wait for replay.
pub fn pending(store: &dyn Store, geometry: &Geometry) -> usize {
    (0..u64::from(geometry.lanes))
        .filter(|lane| store.load(geometry.journal * BLOCK + lane * LANE) != 0)
        .count()
}

fn commit_word(len: usize, crc: u32) -> u64 {
    (len as u64) << 32 | u64::from(crc)
}

/// Whether `change` can be made.
fn check(store: &dyn Store, geometry: &Geometry, change: &Change<'_>) -> Result<()> {
    let (at, len) = match *change {
        Change::Write(at, bytes) => (at, bytes.len() as u64),
        Change::Bits(at, ..) => (at, BLOCK),
    };
    let end = at.checked_add(len).ok_or(Error::Io)?;
    if end > geometry.len() || !at.is_multiple_of(8) {
        return Err(Error::Io);
    }
    Ok(store.reserve(at, len)?)
}

fn apply(store: &dyn Store, change: &Change<'_>) {
    match change {
        Change::Write(at, bytes) if bytes.len() == 8 => {
            store.store(*at, u64::from_le_bytes((*bytes).try_into().expect("8 bytes")));
            store.flush(*at, 8);
        }
        Change::Write(at, bytes) => {
            store.write(*at, bytes);
            store.flush(*at, bytes.len() as u64);
        }
        Change::Bits(at, range, set) => {
            for word in range.start / 64..range.end.div_ceil(64) {
                let mask = word_mask(range, word);
                let (clear, set) = if *set { (0, mask) } else { (mask, 0) };
                store.change(at + u64::from(word) * 8, clear, set);
            }
            let first = u64::from(range.start / 64) * 8;
            store.flush(at + first, u64::from(range.end.div_ceil(64)) * 8 - first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;

    fn sample() -> Body {
        let mut body = Body::default();
        body.write(1_008_000, &7u64.to_le_bytes());
        body.write(1_008_008, &8u64.to_le_bytes());
        body.bits(1_016_000, &(60..70), true);
        body.bits(1_016_000, &(3..4), false);
        body
    }

    #[test]
    fn a_body_reads_back_and_neighbours_join() {
        let body = sample();
        let bytes: Vec<u8> = [7u64, 8].iter().flat_map(|word| word.to_le_bytes()).collect();
        let changes: Vec<_> = body.changes().map(|change| change.unwrap()).collect();
        assert_eq!(
            changes,
            [
                Change::Write(1_008_000, &bytes),
                Change::Bits(1_016_000, 60..70, true),
                Change::Bits(1_016_000, 3..4, false)
            ]
        );
    }

    #[test]
    fn a_body_cut_anywhere_is_an_error_or_shorter() {
        let body = sample();
        for len in 0..body.writes.len() {
            assert!(Changes(&body.writes[..len]).count() <= 1);
        }
        assert_eq!(Changes(&body.writes[..17]).next(), Some(Err(Error::Io)));
        assert_eq!(Changes(&body.bits[..15]).next(), Some(Err(Error::Io)));
    }

    #[test]
    fn what_was_committed_is_replayed_once() {
        let geometry = Geometry::new(4096).unwrap();
        let store = Memory::new(geometry.len()).unwrap();
        let body = sample();
        let lane = geometry.journal * BLOCK + LANE;
        store.store(1_016_000, 0b1000);
        store.write(lane + HEAD, &body.writes);
        store.write(lane + HEAD + body.writes.len() as u64, &body.bits);
        assert_eq!(
            replay(&store, &geometry),
            Ok(Replayed::default()),
            "no commit word"
        );
        store.store(lane, body.commit_word());
        assert_eq!(pending(&store, &geometry), 1);
        let replayed = replay(&store, &geometry).unwrap();
        assert_eq!((replayed.committed, replayed.damaged), (1, 0));
        assert_eq!((store.load(1_008_000), store.load(1_008_008)), (7, 8));
        assert_eq!((store.load(1_016_000), store.load(1_016_008)), (0xf << 60, 0x3f));
        assert_eq!(replay(&store, &geometry), Ok(Replayed::default()));
    }

    #[test]
    fn a_damaged_body_changes_nothing() {
        let geometry = Geometry::new(4096).unwrap();
        let store = Memory::new(geometry.len()).unwrap();
        let body = sample();
        let lane = geometry.journal * BLOCK;
        store.write(lane + HEAD, &body.writes);
        store.store(lane, body.commit_word());
        store.change(lane + HEAD + 16, 0, 1 << 9);
        let replayed = replay(&store, &geometry).unwrap();
        assert_eq!((replayed.committed, replayed.damaged), (0, 1));
        assert_eq!(store.load(1_008_000), 0);
    }
}
