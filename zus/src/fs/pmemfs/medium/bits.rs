// SPDX-License-Identifier: MIT
//! Up to 32,768 things of which each is in use or free: a bitmap block on the medium, and in DRAM only what
//! is in flight.
//!
//! The bitmap says what committed operations use. It changes by transactions, bit by bit and in no order.
//! A thing is *busy* from the moment an operation takes it until that operation is over, and from the
//! moment an operation frees it until that one is over; busy things are not given out. So no two operations
//! in flight mean the same bit, and the journal can be replayed however they stood.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::format::BITS;
use super::lock;
use crate::fs::{Error, Result};
use crate::store::Store;

/// A bitmap and what is in flight of it.
#[derive(Debug)]
pub struct Bits {
    /// Where the bitmap is on the medium, in bytes.
    at: u64,
    /// How many bits count.
    count: u32,
    /// How many of them are neither used nor busy. A hint outside of the lock, exact inside.
    free: AtomicU32,
    hot: Mutex<Hot>,
}

#[derive(Debug, Default)]
struct Hot {
    /// Where to look next.
    next: u32,
    busy: Vec<Range<u32>>,
}

impl Bits {
    /// The first `count` bits of the bitmap at `at`, of which `free` are clear.
    pub fn new(at: u64, count: u32, free: u32) -> Self {
        debug_assert!(u64::from(count) <= BITS);
        Self {
            at,
            count,
            free: AtomicU32::new(free),
            hot: Mutex::default(),
        }
    }

    /// How many clear bits the bitmap at `at` has among its first `count`.
    pub fn count_free(store: &dyn Store, at: u64, count: u32) -> u32 {
        let used = |word: u32| {
            let bits = count.saturating_sub(word * 64).min(64);
            let mask = if bits == 64 { !0 } else { (1 << bits) - 1 };
            (store.load(at + u64::from(word) * 8) & mask).count_ones()
        };
        count - (0..count.div_ceil(64)).map(used).sum::<u32>()
    }

    /// Where the bitmap is on the medium, in bytes.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// How many bits count.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How many can be taken.
    pub fn free(&self) -> u32 {
        self.free.load(Ordering::Relaxed)
    }

    /// Takes up to `want` neighbours, at least one, at `goal` or behind if there is a goal.
    pub fn take(&self, store: &dyn Store, goal: Option<u32>, want: u32) -> Option<Range<u32>> {
        if self.free() == 0 {
            return None;
        }
        let mut hot = lock(&self.hot);
        let from = goal.unwrap_or(hot.next).min(self.count);
        let found = self
            .find(store, &hot, from..self.count, want)
            .or_else(|| self.find(store, &hot, 0..from, want))?;
        hot.next = found.end;
        self.mark(&mut hot, &found);
        Some(found)
    }

    /// As [`take`](Self::take), inside of `within` only.
    pub fn take_in(&self, store: &dyn Store, within: Range<u32>, want: u32) -> Option<Range<u32>> {
        let mut hot = lock(&self.hot);
        let found = self.find(store, &hot, within.start..within.end.min(self.count), want)?;
        self.mark(&mut hot, &found);
        Some(found)
    }

    /// Whether any of `range`, at word boundaries, is in use.
    pub fn any_used(&self, store: &dyn Store, range: Range<u32>) -> bool {
        (range.start / 64..range.end.min(self.count).div_ceil(64))
            .any(|word| store.load(self.at + u64::from(word) * 8) != 0)
    }

    /// Whether `bit` is in use, as far as committed operations go.
    pub fn is_used(&self, store: &dyn Store, bit: u32) -> bool {
        store.load(self.at + u64::from(bit / 64) * 8) >> (bit % 64) & 1 != 0
    }

    /// Makes `range`, which is about to be freed, busy.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if not all of it is in use, or is being freed: somebody lies about what is his.
    pub fn hold(&self, store: &dyn Store, range: Range<u32>) -> Result<()> {
        let mut hot = lock(&self.hot);
        let sound = range.end <= self.count
            && (range.start / 64..range.end.div_ceil(64))
                .all(|word| !store.load(self.at + u64::from(word) * 8) & word_mask(&range, word) == 0)
            && !hot
                .busy
                .iter()
                .any(|busy| busy.start < range.end && range.start < busy.end);
        if !sound {
            return Err(Error::Io);
        }
        hot.busy.push(range);
        Ok(())
    }

    /// The operation that made `range` busy is over, and it is in use.
    pub fn keep(&self, range: &Range<u32>) {
        lock(&self.hot).busy.retain(|busy| busy != range);
    }

    /// The operation that made `range` busy is over, and it is free.
    pub fn give(&self, range: &Range<u32>) {
        let mut hot = lock(&self.hot);
        hot.busy.retain(|busy| busy != range);
        self.free.fetch_add(range.len() as u32, Ordering::Relaxed);
    }

    fn mark(&self, hot: &mut Hot, range: &Range<u32>) {
        hot.busy.push(range.clone());
        self.free.fetch_sub(range.len() as u32, Ordering::Relaxed);
    }

    /// The first free neighbours in `within`: up to `want` of them.
    fn find(&self, store: &dyn Store, hot: &Hot, within: Range<u32>, want: u32) -> Option<Range<u32>> {
        let mut at = within.start;
        while at < within.end {
            let free = self.free_word(store, hot, at / 64) >> (at % 64);
            if free == 0 {
                at = (at / 64 + 1) * 64;
                continue;
            }
            at += free.trailing_zeros();
            let mut end = at;
            while end < within.end && end - at < want {
                let more = (self.free_word(store, hot, end / 64) >> (end % 64)).trailing_ones();
                end += more.min(64 - end % 64);
                if !end.is_multiple_of(64) || more == 0 {
                    break;
                }
            }
            let end = end.min(within.end).min(at + want);
            return (at < end).then_some(at..end);
        }
        None
    }

    /// The bits of a word that are free and not busy.
    fn free_word(&self, store: &dyn Store, hot: &Hot, word: u32) -> u64 {
        let mut free = !store.load(self.at + u64::from(word) * 8);
        for busy in &hot.busy {
            free &= !word_mask(busy, word);
        }
        free
    }
}

/// The bits of `range` that stand in word number `word`.
pub fn word_mask(range: &Range<u32>, word: u32) -> u64 {
    let (start, end) = (word * 64, word * 64 + 64);
    let (from, to) = (range.start.max(start), range.end.min(end));
    if from >= to {
        return 0;
    }
    (!0 >> (64 - (to - from))) << (from - start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;

    fn bits(count: u32) -> (Memory, Bits) {
        (Memory::new(4096).unwrap(), Bits::new(0, count, count))
    }

    #[test]
    fn neighbours_come_together() {
        let (store, bits) = bits(300);
        assert_eq!(bits.take(&store, None, 200), Some(0..200));
        assert_eq!(bits.take(&store, None, 1000), Some(200..300));
        assert_eq!(bits.take(&store, None, 1), None);
        bits.give(&(0..200));
        assert_eq!(bits.take(&store, Some(70), 10), Some(70..80));
        assert_eq!(bits.take(&store, Some(75), 1), Some(80..81));
        assert_eq!(bits.free(), 189);
    }

    #[test]
    fn what_is_used_or_busy_is_not_given_out() {
        let (store, bits) = bits(128);
        store.store(0, !0b1010);
        assert_eq!(bits.take(&store, None, 5), Some(1..2));
        assert_eq!(bits.take(&store, None, 5), Some(3..4));
        assert_eq!(bits.take(&store, None, 5), Some(64..69));
        bits.keep(&(1..2)); // committed, but nobody set the bit: a test's liberty
        assert_eq!(bits.take(&store, Some(0), 5), Some(1..2));
    }

    #[test]
    fn what_is_being_freed_is_kept_until_it_is() {
        let (store, bits) = bits(64);
        store.store(0, 0xff);
        bits.hold(&store, 2..6).unwrap();
        assert_eq!(bits.hold(&store, 5..7), Err(Error::Io), "freed twice at once");
        assert_eq!(bits.hold(&store, 7..9), Err(Error::Io), "not in use");
        store.change(0, 0b111100, 0);
        assert_eq!(bits.take(&store, Some(0), 9), Some(8..17));
        bits.give(&(2..6));
        assert_eq!(bits.take(&store, Some(0), 9), Some(2..6));
    }

    #[test]
    fn free_bits_are_counted_up_to_the_last() {
        let (store, _) = bits(64);
        store.store(8, 0b1011);
        assert_eq!(Bits::count_free(&store, 0, 64), 64);
        assert_eq!(Bits::count_free(&store, 0, 66), 64);
        assert_eq!(Bits::count_free(&store, 0, 100), 97);
    }

    #[test]
    fn masks_cover_their_words() {
        assert_eq!(word_mask(&(0..64), 0), !0);
        assert_eq!(word_mask(&(60..70), 0), 0xf << 60);
        assert_eq!(word_mask(&(60..70), 1), 0x3f);
        assert_eq!(word_mask(&(60..70), 2), 0);
    }
}
