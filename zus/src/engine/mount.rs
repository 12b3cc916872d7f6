// SPDX-License-Identifier: MIT
//! A file system at work.

use std::sync::{Arc, Mutex, MutexGuard};

use relay::Policy;

use super::{Access, Counters, Session};
use crate::fs::{FileSystem, Ino};

/// Appends to different files, and changes of names in different directories, rarely meet.
const SHARDS: usize = 16;

/// One lock for many inodes.
type Shards = [Mutex<()>; SHARDS];

fn lock(shards: &Shards, index: usize) -> MutexGuard<'_, ()> {
    shards[index].lock().unwrap_or_else(|poison| poison.into_inner())
}

/// A file system at work: what its feeder and all its clients share.
pub struct Mount {
    fs: Arc<dyn FileSystem>,
    policy: Arc<Policy>,
    counters: Counters,
    appends: Shards,
    names: Shards,
}

impl Mount {
    /// Puts `fs` to work, its workers waiting by `policy`.
    pub fn new(fs: Arc<dyn FileSystem>, policy: Arc<Policy>) -> Arc<Self> {
        Arc::new(Self {
            fs,
            policy,
            counters: Counters::new(),
            appends: Shards::default(),
            names: Shards::default(),
        })
    }

    /// The file system.
    pub fn fs(&self) -> &dyn FileSystem {
        &*self.fs
    }

    /// How its workers wait; may be changed while they do.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// How often each operation was asked for.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// A new client.
    pub fn session(self: &Arc<Self>, access: Access) -> Session {
        Session::new(self.clone(), access)
    }

    /// Excludes other appends to `ino`: finding the end of a file and writing there are two operations of
    /// a file system. The kernel does this for its own.
    pub(super) fn appending(&self, ino: Ino) -> MutexGuard<'_, ()> {
        lock(&self.appends, ino as usize % SHARDS)
    }

    /// Excludes other changes of names in one directory or two. Whether a client may remove a name depends on
    /// what the name means, and must be decided while it means that: else somebody could have another's file
    /// of the same name removed in a sticky directory. The kernel holds locks of its own for this.
    pub(super) fn naming(
        &self,
        (one, other): (Ino, Ino),
    ) -> (MutexGuard<'_, ()>, Option<MutexGuard<'_, ()>>) {
        let (one, other) = (one as usize % SHARDS, other as usize % SHARDS);
        // Always in the same order, so that two renames cannot wait for each other.
        let (first, second) = (one.min(other), one.max(other));
        let guard = lock(&self.names, first);
        (guard, (first != second).then(|| lock(&self.names, second)))
    }
}
