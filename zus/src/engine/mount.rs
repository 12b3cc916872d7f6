// SPDX-License-Identifier: MIT
//! A file system at work.

use std::sync::{Arc, Mutex, MutexGuard};

use relay::Policy;

use super::{Access, Counters, Session};
use crate::fs::{FileSystem, Ino};

/// Appends to different files rarely meet.
const APPEND_SHARDS: usize = 16;

/// A file system at work: what its feeder and all its clients share.
pub struct Mount {
    fs: Arc<dyn FileSystem>,
    policy: Arc<Policy>,
    counters: Counters,
    appends: [Mutex<()>; APPEND_SHARDS],
}

impl Mount {
    /// Puts `fs` to work, its workers waiting by `policy`.
    pub fn new(fs: Arc<dyn FileSystem>, policy: Arc<Policy>) -> Arc<Self> {
        Arc::new(Self {
            fs,
            policy,
            counters: Counters::new(),
            appends: std::array::from_fn(|_| Mutex::default()),
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
        let shard = &self.appends[ino as usize % APPEND_SHARDS];
        shard.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}
