// SPDX-License-Identifier: MIT
//! An inode that an operation changes: locked, with its record as it will be.

use std::sync::{Arc, RwLockReadGuard, RwLockWriteGuard};

use super::Pmemfs;
use super::clock;
use super::directory::{self, Draft, Found};
use super::format::Inode;
use super::index::Change;
use super::medium::tx::Tx;
use super::node::{Node, State};
use crate::fs::{Error, Ino, Kind, Name, Result};

/// An inode that an operation changes. Dropped before [`done`](Self::done), it has not changed.
#[derive(Debug)]
pub struct Edit<'n> {
    /// The inode.
    pub node: &'n Arc<Node>,
    /// What it is.
    pub state: RwLockWriteGuard<'n, State>,
    /// What it will be.
    pub draft: Inode,
    /// What its index will have to learn.
    changes: Vec<Change>,
}

impl<'n> Edit<'n> {
    /// Locks `node`, which must not be freed.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`].
    pub fn of(node: &'n Arc<Node>) -> Result<Self> {
        let state = node.write();
        if state.inode.kind.is_none() {
            return Err(Error::Stale);
        }
        Ok(Self {
            draft: node.draft(&state),
            node,
            state,
            changes: Vec::new(),
        })
    }

    /// Locks `node`, a directory, with its index.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::NotDirectory`].
    pub fn directory(fs: &Pmemfs, node: &'n Arc<Node>) -> Result<Self> {
        let mut edit = Self::of(node)?;
        edit.state.directory()?;
        fs.index(&mut edit.state)?;
        Ok(edit)
    }

    /// The entry called `name` of a directory.
    pub fn find(&self, fs: &Pmemfs, name: Name<'_>) -> Result<Option<Found>> {
        let index = self.state.index.as_ref().ok_or(Error::NotDirectory)?;
        directory::find(&fs.medium, &self.state.inode, index, name)
    }

    /// Adds an entry to a directory that still has a name.
    pub fn insert(&mut self, tx: &mut Tx<'_>, name: Name<'_>, ino: Ino, kind: Kind) -> Result<()> {
        if self.draft.nlink == 0 {
            return Err(Error::NotFound);
        }
        self.contents()?.insert(tx, name, ino, kind)
    }

    /// Removes an entry of a directory.
    pub fn remove(&mut self, tx: &mut Tx<'_>, found: Found) -> Result<()> {
        self.contents()?.remove(tx, found.position)
    }

    /// Makes an entry of a directory name another inode.
    pub fn replace(&mut self, tx: &mut Tx<'_>, found: Found, ino: Ino, kind: Kind) -> Result<()> {
        self.contents()?.replace(tx, found.position, ino, kind)
    }

    /// Whether a directory has no entries.
    pub fn is_empty(&self) -> bool {
        self.state.index.as_ref().is_some_and(|index| index.len() == 0)
    }

    /// Counts a name less.
    pub fn unlink(&mut self) -> Result<()> {
        self.draft.nlink = self.draft.nlink.checked_sub(1).ok_or(Error::Io)?;
        Ok(())
    }

    /// Says that the contents, and so the inode, change now.
    pub fn modified(&mut self) {
        self.draft.mtime = clock::now();
        self.draft.ctime = self.draft.mtime;
    }

    /// Says that the inode changes now.
    pub fn changed(&mut self) {
        self.draft.ctime = clock::now();
    }

    /// Adds the draft to `tx`, and if the inode has lost its last name in it, that it is an orphan.
    pub fn write(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        if self.draft.nlink == 0 && self.state.inode.nlink > 0 {
            tx.set_orphan(self.node.ino, true)?;
        }
        tx.inode(self.node.at, &mut self.draft)
    }

    /// The transaction is committed: the draft is what the inode is.
    pub fn done(&mut self) {
        self.node.settle(&mut self.state, self.draft.clone());
        if let Some(index) = &mut self.state.index {
            for change in self.changes.drain(..) {
                index.apply(change);
            }
        }
    }

    fn contents(&mut self) -> Result<Draft<'_>> {
        Ok(Draft {
            inode: &mut self.draft,
            index: self.state.index.as_ref().ok_or(Error::NotDirectory)?,
            changes: &mut self.changes,
        })
    }
}

impl Pmemfs {
    /// The inode `ino`.
    pub(super) fn node(&self, ino: Ino) -> Result<Arc<Node>> {
        self.cache.get(&self.medium, ino)
    }

    /// The inode that an entry of the directory `parent`, which is locked, names.
    pub(super) fn child(&self, parent: Ino, found: Found) -> Result<Arc<Node>> {
        if found.ino == parent {
            return Err(Error::Io);
        }
        // An entry that names a free inode is damage, not the caller's mistake.
        self.node(found.ino).map_err(|error| match error {
            Error::Stale => Error::Io,
            other => other,
        })
    }

    /// Makes sure that a locked directory has its index.
    pub(super) fn index(&self, state: &mut State) -> Result<()> {
        if state.index.is_none() {
            let index = directory::build(&self.medium, &state.inode, &self.cache.indices)?;
            state.index = Some(Box::new(index));
            self.cache.trim_indices();
        }
        Ok(())
    }

    /// Locks a directory for reading, with its index.
    pub(super) fn read_directory<'n>(&self, node: &'n Node) -> Result<RwLockReadGuard<'n, State>> {
        loop {
            let state = node.read();
            state.directory()?;
            if state.index.is_some() {
                return Ok(state);
            }
            drop(state);
            let mut state = node.write();
            state.directory()?;
            self.index(&mut state)?;
        }
    }
}
