// SPDX-License-Identifier: MIT
//! The blocks: allocation groups, each with its own bitmap and lock, and each CPU with one that it likes.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::format::{BLOCK, BlockBytes, GROUP, GROUP_READY, Geometry};
use super::bits::{Bits, word_mask};
use super::{lock, slot};
use crate::fs::{Error, Result};
use crate::store::Store;

/// How many pieces in which nothing is in use are offered to a full host before it is believed: a system call each.
const MAX_ASKED: u32 = 4096;
/// The host gives space in pieces of this many blocks, see [`Store::reserve`].
const HOST_PIECE: u32 = 512;
/// CPUs that have a group of their own at most.
const SLOTS: usize = 64;

/// Neighbouring blocks of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first.
    pub start: u64,
    /// How many.
    pub len: u32,
}

impl Run {
    fn group(&self) -> usize {
        (self.start / GROUP) as usize
    }

    fn range(&self) -> Range<u32> {
        let first = (self.start % GROUP) as u32;
        first..first + self.len
    }
}

#[derive(Debug)]
struct Group {
    bits: Bits,
    /// Whether its bitmap is on the medium. Release when it is, paired with the Acquire of whoever asks.
    ready: AtomicBool,
    /// Whether its summary on the medium may be out of date.
    changed: AtomicBool,
}

/// All groups.
#[derive(Debug)]
pub struct Space {
    groups: Vec<Group>,
    /// Of each slot, the group that served it last. Hints only.
    liked: Vec<AtomicUsize>,
    preparing: Mutex<()>,
}

impl Space {
    /// Those on the medium. If it is `clean` their summaries are believed, otherwise the bitmaps are counted.
    pub fn open(store: &dyn Store, geometry: &Geometry, clean: bool) -> Self {
        let groups: Vec<_> = (0..geometry.group_count())
            .map(|group| open_group(store, geometry, group, clean))
            .collect();
        let slots = groups.len().min(SLOTS);
        Self {
            liked: (0..slots)
                .map(|slot| AtomicUsize::new(slot * groups.len() / slots))
                .collect(),
            groups,
            preparing: Mutex::new(()),
        }
    }

    /// Free blocks.
    pub fn free(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.bits.free())).sum()
    }

    /// The bitmap, in bytes on the medium, and the bits in it that stand for `run`.
    pub fn bitmap(&self, run: Run) -> (u64, Range<u32>) {
        (self.groups[run.group()].bits.at(), run.range())
    }

    /// Takes up to `want` neighbours, at least one, near `goal` if there is a goal, and makes sure that the
    /// host has space for them. They are busy until [`keep`](Self::keep) or [`give`](Self::give).
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`] when all is in use, or the host has no space for what is not.
    pub fn take(&self, store: &dyn Store, geometry: &Geometry, goal: Option<u64>, want: u32) -> Result<Run> {
        let liked = &self.liked[slot(self.liked.len())];
        let goal = goal.filter(|&block| geometry.is_data(block));
        let first = goal.map_or(liked.load(Ordering::Relaxed), |block| (block / GROUP) as usize);
        for i in 0..self.groups.len() {
            let number = (first + i) % self.groups.len();
            let group = &self.groups[number];
            if group.bits.free() == 0 {
                continue;
            }
            match self.prepare(store, geometry, number) {
                Err(Error::NoSpace) => return self.take_backed(store, first, want),
                prepared => prepared?,
            }
            let goal = goal.filter(|_| i == 0).map(|block| (block % GROUP) as u32);
            let Some(range) = group.bits.take(store, goal, want) else {
                continue;
            };
            let run = run(number, &range);
            if let Err(error) = store.reserve(run.start * BLOCK, u64::from(run.len) * BLOCK) {
                group.bits.give(&range);
                return match error {
                    crate::store::Error::NoSpace => self.take_backed(store, first, want),
                    crate::store::Error::Io => Err(Error::Io),
                };
            }
            group.changed.store(true, Ordering::Relaxed);
            if liked.load(Ordering::Relaxed) != number {
                liked.store(number, Ordering::Relaxed);
            }
            return Ok(run);
        }
        Err(Error::NoSpace)
    }

    /// The host is full: takes from where it has given space already. That is where something is in use; and it
    /// may be where something was, before this mount, which only asking the host tells.
    #[cold]
    fn take_backed(&self, store: &dyn Store, first: usize, want: u32) -> Result<Run> {
        let backed = |group: &Group, piece: &Range<u32>| group.bits.any_used(store, piece.clone());
        let asked = Cell::new(0);
        let maybe = |_: &Group, _: &Range<u32>| asked.replace(asked.get() + 1) < MAX_ASKED;
        self.take_where(store, first, want, &backed)
            .or_else(|| self.take_where(store, first, want, &maybe))
            .ok_or(Error::NoSpace)
    }

    /// Takes from a piece that `is_likely` to be backed by the host and turns out to be.
    fn take_where(
        &self,
        store: &dyn Store,
        first: usize,
        want: u32,
        is_likely: &dyn Fn(&Group, &Range<u32>) -> bool,
    ) -> Option<Run> {
        for i in 0..self.groups.len() {
            let number = (first + i) % self.groups.len();
            let group = &self.groups[number];
            if group.bits.free() == 0 || !group.ready.load(Ordering::Acquire) {
                continue;
            }
            for piece in (0..group.bits.count()).step_by(HOST_PIECE as usize) {
                let piece = piece..piece + HOST_PIECE;
                if !is_likely(group, &piece) {
                    continue;
                }
                let Some(range) = group.bits.take_in(store, piece, want) else {
                    continue;
                };
                let run = run(number, &range);
                if store
                    .reserve(run.start * BLOCK, u64::from(run.len) * BLOCK)
                    .is_ok()
                {
                    group.changed.store(true, Ordering::Relaxed);
                    return Some(run);
                }
                group.bits.give(&range);
            }
        }
        None
    }

    /// Makes `run`, which is about to be freed, busy.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it is not all in use.
    pub fn hold(&self, store: &dyn Store, run: Run) -> Result<()> {
        let group = &self.groups[run.group()];
        if !group.ready.load(Ordering::Acquire) {
            return Err(Error::Io);
        }
        group.changed.store(true, Ordering::Relaxed);
        group.bits.hold(store, run.range())
    }

    /// The operation is over and `run` in use.
    pub fn keep(&self, run: Run) {
        self.groups[run.group()].bits.keep(&run.range());
    }

    /// The operation is over and `run` free.
    pub fn give(&self, run: Run) {
        self.groups[run.group()].bits.give(&run.range());
    }

    /// Puts the bitmap of `number` on the medium, where at first there is none.
    fn prepare(&self, store: &dyn Store, geometry: &Geometry, number: usize) -> Result<()> {
        let group = &self.groups[number];
        if group.ready.load(Ordering::Acquire) {
            return Ok(());
        }
        let _one = lock(&self.preparing);
        if group.ready.load(Ordering::Acquire) {
            return Ok(());
        }
        let descriptor = geometry.descriptor_at(number as u64);
        store.reserve(descriptor, 16)?;
        store.reserve(group.bits.at(), BLOCK)?;
        store.write(group.bits.at(), &first_bitmap(geometry, number as u64));
        store.flush(group.bits.at(), BLOCK);
        store.fence();
        store.store(descriptor, GROUP_READY);
        store.flush(descriptor, 8);
        store.fence();
        group.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// Writes the summaries that [`open`](Self::open) of a clean file system believes. Nothing is in flight.
    pub fn close(&self, store: &dyn Store, geometry: &Geometry) -> Result<()> {
        for (number, group) in self.groups.iter().enumerate() {
            if group.ready.load(Ordering::Acquire) && group.changed.swap(false, Ordering::Relaxed) {
                let at = geometry.descriptor_at(number as u64) + 8;
                store.reserve(at, 8)?;
                store.store(at, summary(store, &group.bits));
                store.flush(at, 8);
            }
        }
        store.fence();
        Ok(())
    }
}

fn run(group: usize, range: &Range<u32>) -> Run {
    Run {
        start: group as u64 * GROUP + u64::from(range.start),
        len: range.len() as u32,
    }
}

/// The word with the free blocks of a group and the checksum of its bitmap.
fn summary(store: &dyn Store, bits: &Bits) -> u64 {
    u64::from(checksum(store, bits.at())) << 32 | u64::from(bits.free())
}

fn checksum(store: &dyn Store, bitmap: u64) -> u32 {
    let mut bytes: BlockBytes = [0; BLOCK as usize];
    store.read(bitmap, &mut bytes);
    crc32c::crc32c(&bytes)
}

/// The bitmap of a group in which nothing is allocated: what never belongs to a file is in use.
pub fn first_bitmap(geometry: &Geometry, group: u64) -> BlockBytes {
    let mut bitmap = [0; BLOCK as usize];
    let len = geometry.group_len(group);
    let copy = u32::from(group + 1 == geometry.group_count());
    let fixed = [0..geometry.group_fixed(group), len - copy..GROUP as u32];
    for (word, bytes) in bitmap.chunks_exact_mut(8).enumerate() {
        let used = fixed
            .iter()
            .fold(0, |used, range| used | word_mask(range, word as u32));
        bytes.copy_from_slice(&used.to_le_bytes());
    }
    bitmap
}

fn open_group(store: &dyn Store, geometry: &Geometry, group: u64, clean: bool) -> Group {
    let at = geometry.group_bitmap(group) * BLOCK;
    let len = geometry.group_len(group);
    let descriptor = geometry.descriptor_at(group);
    let ready = store.load(descriptor) & GROUP_READY != 0;
    let summary = store.load(descriptor + 8);
    let free = if !ready {
        geometry.group_usable(group)
    } else if clean {
        summary as u32
    } else {
        Bits::count_free(store, at, len)
    };
    Group {
        bits: Bits::new(at, len, free.min(len)),
        ready: AtomicBool::new(ready),
        // What was counted is not yet written down.
        changed: AtomicBool::new(ready && !clean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;

    fn space(blocks: u64) -> (Memory, Geometry, Space) {
        let geometry = Geometry::new(blocks).unwrap();
        let store = Memory::new(geometry.len()).unwrap();
        let space = Space::open(&store, &geometry, false);
        (store, geometry, space)
    }

    #[test]
    fn every_block_is_given_out_once_and_then_none() {
        let (store, geometry, space) = space(GROUP + 300);
        let free = space.free();
        let mut taken = std::collections::HashSet::new();
        while let Ok(run) = space.take(&store, &geometry, None, 100) {
            for block in run.start..run.start + u64::from(run.len) {
                assert!(geometry.is_data(block) && taken.insert(block), "block {block}");
            }
        }
        assert_eq!(taken.len() as u64, free);
        assert_eq!(space.free(), 0);
        assert_eq!(space.take(&store, &geometry, None, 1), Err(Error::NoSpace));
    }

    #[test]
    fn a_group_too_short_for_anything_is_no_trouble() {
        for extra in [1, 2, 3] {
            let (store, geometry, space) = space(GROUP + extra);
            let first = GROUP - geometry.first_data;
            let last = extra.saturating_sub(2);
            assert_eq!(space.free(), first + last, "{extra} blocks in the last group");
            while space.take(&store, &geometry, None, 1000).is_ok() {}
            assert_eq!(space.free(), 0);
        }
    }

    #[test]
    fn a_goal_is_reached_if_it_is_free() {
        let (store, geometry, space) = space(4096);
        let run = space.take(&store, &geometry, Some(3000), 4).unwrap();
        assert_eq!(run, Run { start: 3000, len: 4 });
        let run = space.take(&store, &geometry, Some(3002), 1).unwrap();
        assert_eq!(run.start, 3004);
        // A goal out of a damaged tree is no goal.
        assert!(space.take(&store, &geometry, Some(u64::MAX), 1).is_ok());
    }

    #[test]
    fn counts_survive_an_orderly_end_and_are_taken_anew_after_another() {
        let (store, geometry, space) = space(4096);
        let run = space.take(&store, &geometry, None, 10).unwrap();
        let (bitmap, range) = space.bitmap(run);
        store.change(bitmap, 0, word_mask(&range, 0));
        space.keep(run);
        space.close(&store, &geometry).unwrap();
        assert_eq!(Space::open(&store, &geometry, true).free(), space.free());
        store.store(geometry.descriptor_at(0) + 8, 5); // nonsense, and not believed
        assert_eq!(Space::open(&store, &geometry, false).free(), space.free());
    }
}
