// SPDX-License-Identifier: MIT
//! The medium under a mounted file system: who owns which block and inode, and how several changes become
//! one. It knows what the format means, and nothing of names or of who holds a reference.
//!
//! [`journal`] makes changes atomic; [`bits`] and [`space`] know what is free; [`tx`] gathers the changes of
//! one operation; [`tree`] is where the blocks of a file are; [`table`] where the inodes are.

pub mod bits;
pub mod journal;
pub mod space;
pub mod table;
pub mod tree;
pub mod tx;

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::format::{CLEAN, Geometry, MOUNTED, STATE_AT};
use crate::fs::{Error, Result};
use crate::store::{self, Store};
use journal::Journal;
use space::Space;
use table::Table;

/// The medium of a mounted file system.
pub struct Medium {
    /// What everything is stored to.
    pub store: Box<dyn Store>,
    /// Where things stand.
    pub geometry: Geometry,
    /// The blocks.
    pub space: Space,
    /// The inodes.
    pub table: Table,
    journal: Journal,
    /// Whether nothing may change.
    read_only: bool,
}

impl Medium {
    /// The medium in `store`, whose journal has been replayed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if what is on it makes no sense.
    pub fn open(store: Box<dyn Store>, geometry: Geometry, read_only: bool) -> Result<Self> {
        let clean = store.load(STATE_AT) == CLEAN;
        let space = Space::open(&*store, &geometry, clean);
        let table = Table::open(&*store, &geometry)?;
        Ok(Self {
            journal: Journal::new(&geometry),
            store,
            geometry,
            space,
            table,
            read_only,
        })
    }

    /// Says on the medium that it is in use.
    pub fn mark_mounted(&self) -> Result<()> {
        self.set_state(MOUNTED)
    }

    /// Lets no transaction happen from here on. What is happening is over on return.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if one did not come to its end, or the medium is closed already.
    pub fn close(&self) -> Result<()> {
        self.writable()?;
        self.journal.close();
        Ok(())
    }

    /// Says on the closed medium that all is in order, with what makes the next mount quick.
    pub fn mark_clean(&self) -> Result<()> {
        self.space.close(&*self.store, &self.geometry)?;
        self.store.sync()?;
        self.set_state(CLEAN)
    }

    fn set_state(&self, state: u64) -> Result<()> {
        self.store.reserve(STATE_AT, 8)?;
        self.store.store(STATE_AT, state);
        self.store.flush(STATE_AT, 8);
        self.store.fence();
        Ok(self.store.sync()?)
    }

    /// Whether anything may change.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`], or [`Error::Io`] if the medium is closed or has failed.
    pub fn writable(&self) -> Result<()> {
        if self.read_only {
            return Err(Error::ReadOnly);
        }
        if self.journal.is_closed() {
            return Err(Error::Io);
        }
        Ok(())
    }

    /// Makes the changes of a transaction happen.
    fn commit(&self, body: &journal::Body) -> Result<()> {
        if body.is_empty() {
            return Ok(());
        }
        self.journal.commit(&*self.store, body)
    }

    /// Whether it is mounted read-only.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }
}

impl std::fmt::Debug for Medium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Medium")
            .field("geometry", &self.geometry)
            .finish_non_exhaustive()
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSpace => Self::NoSpace,
            store::Error::Io => Self::Io,
        }
    }
}

/// Locks `mutex`. A panic elsewhere while it was held left what it guards in order: all of ours change it in
/// one step at the end.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of `count` places, the same for all threads on one CPU: where to look first, so that CPUs keep out of
/// each other's way.
pub fn slot(count: usize) -> usize {
    rustix::thread::sched_getcpu() % count.max(1)
}
