// SPDX-License-Identifier: MIT
//! What is known in DRAM of a directory: where each name is, and where there is room.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::format::{BLOCK, entry_len};

/// No entry needs less.
const LEAST: usize = 24;
const EMPTY: u64 = 0;
const GONE: u64 = 1;
/// Positions are stored in units of 8 bytes, behind the two values above.
const UNIT: u64 = 8;
const SHIFT: u64 = 2;
/// Bytes that a directory can have: as far as 32 bits of units reach.
pub const MAX_LEN: u64 = ((1 << 32) - 1 - SHIFT) * UNIT / BLOCK * BLOCK;

/// Bytes that all indices take, and the secret that keeps names from being chosen to collide.
#[derive(Clone, Debug, Default)]
pub struct Indices {
    bytes: Arc<AtomicUsize>,
    keys: RandomState,
}

impl Indices {
    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The hash of `name`.
    pub fn hash(&self, name: &[u8]) -> u32 {
        self.keys.hash_one(name) as u32
    }
}

/// The index of a directory: an open hash table of words, 32 bits of hash and 32 of position each; and of
/// each block the longest free record.
#[derive(Debug)]
pub struct Index {
    all: Indices,
    /// Bytes of this one, as counted in `all`.
    bytes: usize,
    slots: Vec<u64>,
    entries: usize,
    /// Slots that are not empty: entries, and those gone.
    filled: usize,
    free: Vec<u16>,
    /// Blocks with room for an entry, by how much.
    room: BTreeSet<(u16, u32)>,
}

/// A change of an index, made once the transaction that it describes is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A name with this hash is at this position.
    Add(u32, u64),
    /// It is no longer.
    Remove(u32, u64),
    /// The longest free record of this block.
    Free(u32, u16),
}

impl Index {
    /// That of an empty directory.
    pub fn new(all: &Indices) -> Self {
        let mut new = Self {
            all: all.clone(),
            bytes: 0,
            slots: vec![EMPTY; 8],
            entries: 0,
            filled: 0,
            free: Vec::new(),
            room: BTreeSet::new(),
        };
        new.account();
        new
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// The hash of `name`.
    pub fn hash(&self, name: &[u8]) -> u32 {
        self.all.hash(name)
    }

    /// Positions of entries whose name may have this hash.
    pub fn candidates(&self, hash: u32) -> impl Iterator<Item = u64> {
        let mask = self.slots.len() - 1;
        (0..self.slots.len())
            .map(move |i| self.slots[(hash as usize).wrapping_add(i) & mask])
            .take_while(|&word| word != EMPTY)
            .filter(move |&word| word != GONE && (word >> 32) as u32 == hash)
            .map(position)
    }

    /// A block with room for an entry called `name`, the tightest.
    pub fn room(&self, name: &[u8]) -> Option<u32> {
        let least = entry_len(name) as u16;
        self.room.range((least, 0)..).next().map(|&(_, block)| block)
    }

    /// Makes `change`.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Add(hash, position) => self.add(hash, position),
            Change::Remove(hash, position) => self.remove(hash, position),
            Change::Free(block, longest) => self.set_free(block, longest),
        }
    }

    fn add(&mut self, hash: u32, position: u64) {
        if (self.filled + 1) * 4 > self.slots.len() * 3 {
            self.rebuild();
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] > GONE {
            at = (at + 1) & mask;
        }
        self.filled += usize::from(self.slots[at] == EMPTY);
        self.slots[at] = u64::from(hash) << 32 | (position / UNIT + SHIFT);
        self.entries += 1;
    }

    fn remove(&mut self, hash: u32, position: u64) {
        let mask = self.slots.len() - 1;
        let wanted = u64::from(hash) << 32 | (position / UNIT + SHIFT);
        let mut at = hash as usize & mask;
        while self.slots[at] != wanted {
            if self.slots[at] == EMPTY {
                debug_assert!(false, "an entry that is not in the index");
                return;
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = GONE;
        self.entries -= 1;
    }

    /// Makes the table as large as its entries need, without those gone.
    fn rebuild(&mut self) {
        let len = ((self.entries + 1) * 2).next_power_of_two().max(8);
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; len]);
        for word in old.into_iter().filter(|&word| word > GONE) {
            let mut at = (word >> 32) as usize & (len - 1);
            while self.slots[at] != EMPTY {
                at = (at + 1) & (len - 1);
            }
            self.slots[at] = word;
        }
        self.filled = self.entries;
        self.account();
    }

    fn set_free(&mut self, block: u32, longest: u16) {
        let at = block as usize;
        if at >= self.free.len() {
            self.free.resize(at + 1, 0);
        }
        let old = std::mem::replace(&mut self.free[at], longest);
        if usize::from(old) >= LEAST {
            self.room.remove(&(old, block));
        }
        if usize::from(longest) >= LEAST {
            self.room.insert((longest, block));
        }
    }

    /// Counts what this takes, roughly.
    fn account(&mut self) {
        let bytes = size_of::<Self>() + self.slots.len() * 8 + self.free.len() * 16;
        self.all.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn position(word: u64) -> u64 {
    ((word & u64::from(u32::MAX)) - SHIFT) * UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_and_go() {
        let all = Indices::default();
        let mut index = Index::new(&all);
        let name = |i: u64| i.to_le_bytes();
        for i in 0..5000 {
            index.apply(Change::Add(all.hash(&name(i)), i * 32));
            if i >= 100 {
                index.apply(Change::Remove(all.hash(&name(i - 100)), (i - 100) * 32));
            }
        }
        assert_eq!(index.len(), 100);
        assert!(
            index.slots.len() <= 1024,
            "{} slots for 100 names",
            index.slots.len()
        );
        for i in 0..5000 {
            let found = index.candidates(all.hash(&name(i))).any(|at| at == i * 32);
            assert_eq!(found, i >= 4900, "name {i}");
        }
        drop(index);
        assert_eq!(all.bytes(), 0);
    }

    #[test]
    fn the_tightest_room_is_taken() {
        let mut index = Index::new(&Indices::default());
        assert_eq!(index.room(b"name"), None);
        for (block, free) in [(0, 4096), (1, 16), (2, 40), (3, 24)] {
            index.apply(Change::Free(block, free));
        }
        assert_eq!(index.room(b"name"), Some(3));
        assert_eq!(index.room(b"a longer name"), Some(2));
        assert_eq!(index.room(&[b'x'; 255]), Some(0));
        index.apply(Change::Free(3, 0));
        assert_eq!(index.room(b"name"), Some(2));
    }
}
