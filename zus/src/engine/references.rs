// SPDX-License-Identifier: MIT
//! The references to inodes that a client holds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard};

use crate::fs::{FileSystem, Ino};

/// Inodes are spread over this many locks, so that workers rarely meet.
const SHARDS: usize = 16;

/// What a client holds of one inode.
#[derive(Default)]
struct Held {
    /// References that the file system has given us.
    taken: u64,
    /// References that the client may give back: one for each time that it was told of the inode.
    lookups: u64,
    /// Its open handles. As long as there are any, one of `taken` is kept back.
    opens: u64,
}

impl Held {
    /// How many of `taken` nothing stands for any more.
    fn surplus(&mut self) -> u64 {
        let needed = self.lookups.max(u64::from(self.opens > 0)).min(self.taken);
        let surplus = self.taken - needed;
        self.taken = needed;
        surplus
    }
}

/// The references of one client. A client cannot give back what it does not hold, so that it cannot take
/// an inode from another.
pub(super) struct References([Mutex<HashMap<Ino, Held>>; SHARDS]);

impl References {
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    fn shard(&self, ino: Ino) -> MutexGuard<'_, HashMap<Ino, Held>> {
        let shard = &self.0[ino as usize % SHARDS];
        shard.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Whether the client was told of `ino` and has not given all of it back.
    pub fn holds(&self, ino: Ino) -> bool {
        self.shard(ino).get(&ino).is_some_and(|held| held.lookups > 0)
    }

    /// The file system gave a reference, and the client is told of it.
    pub fn told(&self, ino: Ino) {
        let mut shard = self.shard(ino);
        let held = shard.entry(ino).or_default();
        held.taken += 1;
        held.lookups += 1;
    }

    /// The client opened `ino`.
    pub fn opened(&self, ino: Ino) {
        self.shard(ino).entry(ino).or_default().opens += 1;
    }

    /// The client closed `ino`.
    pub fn closed(&self, ino: Ino, fs: &dyn FileSystem) {
        self.settle(ino, fs, |held| held.opens = held.opens.saturating_sub(1));
    }

    /// The client gives `count` references back.
    pub fn forgotten(&self, ino: Ino, count: u64, fs: &dyn FileSystem) {
        self.settle(ino, fs, |held| held.lookups = held.lookups.saturating_sub(count));
    }

    fn settle(&self, ino: Ino, fs: &dyn FileSystem, change: impl FnOnce(&mut Held)) {
        let mut shard = self.shard(ino);
        let Entry::Occupied(mut entry) = shard.entry(ino) else {
            return;
        };
        change(entry.get_mut());
        let surplus = entry.get_mut().surplus();
        if entry.get().lookups == 0 && entry.get().opens == 0 {
            entry.remove();
        }
        // The lock goes first: what the file system does with the last reference can take long.
        drop(shard);
        if surplus > 0 {
            fs.forget(ino, surplus);
        }
    }

    /// The client is gone.
    pub fn release(&self, fs: &dyn FileSystem) {
        for shard in &self.0 {
            let held = std::mem::take(&mut *shard.lock().unwrap_or_else(|poison| poison.into_inner()));
            for (ino, held) in held {
                if held.taken > 0 {
                    fs.forget(ino, held.taken);
                }
            }
        }
    }
}
