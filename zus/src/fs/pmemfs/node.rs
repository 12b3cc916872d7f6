// SPDX-License-Identifier: MIT
//! An inode in DRAM.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::clock;
use super::format::{FANOUT, Inode, Pointer, TOUCHED_AT, pack, unpack};
use super::index::Index;
use super::medium::Medium;
use super::medium::tree::{self, slot_at};
use crate::fs::{Attr, Error, Ino, Kind, Result, Timestamp};

/// Seconds after which a read counts although nothing changed since the last.
const DAY: i64 = 24 * 3600;

/// An inode in DRAM.
#[derive(Debug)]
pub struct Node {
    /// Its number.
    pub ino: Ino,
    /// Distinguishes it from earlier inodes of that number.
    pub generation: u64,
    /// Where it stands on the medium, in bytes.
    pub at: u64,
    /// References that callers hold.
    refs: AtomicU64,
    /// What `accessed` is on the medium: changed by readers, beside one another.
    accessed: AtomicU64,
    /// A leaf of the tree: the number of the first block that it points to, in leaves, above bit 40; its own
    /// block below. 0: none known. True while the lock is held.
    leaf: AtomicU64,
    state: RwLock<State>,
}

/// What the lock of a [`Node`] guards.
#[derive(Debug)]
pub struct State {
    /// The record, as on the medium but for `accessed`. Without a kind once it is freed.
    pub inode: Inode,
    /// Of directories, once it was needed.
    pub index: Option<Box<Index>>,
}

impl Node {
    /// The inode at `at`, with so many references.
    pub fn new(at: u64, inode: Inode, refs: u64) -> Self {
        Self {
            ino: inode.ino,
            generation: inode.generation,
            at,
            refs: AtomicU64::new(refs),
            accessed: AtomicU64::new(inode.accessed),
            leaf: AtomicU64::new(0),
            state: RwLock::new(State { inode, index: None }),
        }
    }

    /// References that callers hold.
    pub fn refs(&self) -> u64 {
        // Acquire, paired with `release`: who sees the last one gone sees what was done under it.
        self.refs.load(Ordering::Acquire)
    }

    /// Takes a reference. The caller holds a lock that keeps the inode from being freed meanwhile.
    pub fn retain(&self) {
        self.refs.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives `count` references back, and returns whether that was the last of some.
    pub fn release(&self, count: u64) -> bool {
        let take = |refs: u64| Some(refs.saturating_sub(count));
        let before = self
            .refs
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, take)
            .unwrap_or_default();
        before > 0 && before <= count
    }

    /// Locks it for reading. What a panic left behind is in order: the state changes in one step, after a
    /// commit.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks it for changing.
    pub fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks it for changing if nobody holds it.
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, State>> {
        self.state.try_write().ok()
    }

    /// Its attributes.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if it is freed.
    pub fn attr(&self, state: &State) -> Result<Attr> {
        let mut attr = state.inode.attr()?;
        if let Some(time) = unpack(self.accessed.load(Ordering::Relaxed)) {
            attr.atime = time;
        }
        Ok(attr)
    }

    /// Its record, to be changed and committed, with all times where the journal changes them.
    pub fn draft(&self, state: &State) -> Inode {
        let mut inode = state.inode.clone();
        inode.accessed = self.accessed.load(Ordering::Relaxed);
        inode.fold();
        inode
    }

    /// Takes over a record that has been committed.
    pub fn settle(&self, state: &mut State, inode: Inode) {
        self.accessed.store(inode.accessed, Ordering::Relaxed);
        self.leaf.store(0, Ordering::Relaxed);
        state.inode = inode;
    }

    /// Notes that it was read: only if nothing was read since the last change, or for a day.
    pub fn accessed(&self, medium: &Medium, state: &State) {
        let (inode, now) = (&state.inode, clock::now());
        let atime = unpack(self.accessed.load(Ordering::Relaxed)).unwrap_or(inode.atime);
        let changed = unpack(inode.touched).unwrap_or(inode.mtime.max(inode.ctime));
        let due = atime <= changed || now.sec - atime.sec >= DAY;
        if due && now != atime && medium.writable().is_ok() {
            self.store_accessed(medium, pack(now));
        }
    }

    #[cold]
    fn store_accessed(&self, medium: &Medium, word: u64) {
        let at = self.at + TOUCHED_AT + 8;
        // A reader is not refused because the host is full.
        if word != 0 && medium.store.reserve(at, 8).is_ok() {
            medium.store.store(at, word);
            medium.store.flush(at, 8);
            self.accessed.store(word, Ordering::Relaxed);
        }
    }

    /// Notes that its contents were overwritten `now`, in place: one store, and none if the clock has not
    /// moved.
    pub fn touched(&self, medium: &Medium, state: &mut State, now: Timestamp) -> Result<()> {
        let word = pack(now);
        if word == state.inode.touched && word != 0 {
            return Ok(());
        }
        let at = self.at + TOUCHED_AT;
        medium.store.reserve(at, 8)?;
        medium.store.store(at, word);
        medium.store.flush(at, 8);
        state.inode.touched = word;
        Ok(())
    }

    /// The pointer to block `index` of the file: [`tree::get`] with a memory.
    #[inline]
    pub fn pointer(&self, medium: &Medium, inode: &Inode, index: u64) -> Result<Option<Pointer>> {
        if inode.height == 0 {
            return tree::get(medium, inode, index);
        }
        let known = self.leaf.load(Ordering::Relaxed);
        let leaf = if known != 0 && known >> 40 == index / FANOUT {
            known & ((1 << 40) - 1)
        } else {
            match tree::leaf(medium, inode, index)? {
                Some(leaf) => {
                    self.leaf
                        .store(((index / FANOUT) << 40) | leaf, Ordering::Relaxed);
                    leaf
                }
                None => return Ok(None),
            }
        };
        Pointer::read(medium.store.load(slot_at(leaf, index)), &medium.geometry)
    }
}

impl State {
    /// That it is a directory, and in use.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] or [`Error::NotDirectory`].
    pub fn directory(&self) -> Result<()> {
        match self.inode.kind {
            None => Err(Error::Stale),
            Some(Kind::Directory) => Ok(()),
            Some(_) => Err(Error::NotDirectory),
        }
    }

    /// That it is a regular file, and in use.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::IsDirectory`] or [`Error::Invalid`].
    pub fn file(&self) -> Result<()> {
        match self.inode.kind {
            None => Err(Error::Stale),
            Some(Kind::File) => Ok(()),
            Some(Kind::Directory) => Err(Error::IsDirectory),
            Some(_) => Err(Error::Invalid),
        }
    }
}
