// SPDX-License-Identifier: MIT
//! Names: looked up, made, removed.

use std::sync::Arc;

use super::Pmemfs;
use super::clock;
use super::edit::Edit;
use super::format::{BLOCK, INLINE_AT, INLINE_MAX, Inode, MAX_LINKS, Pointer, RECORD_LEN};
use super::medium::tree;
use super::medium::tx::Tx;
use super::node::Node;
use crate::fs::{Entry, Error, Ino, Kind, Name, NewInode, Result};

/// The longest target of a symbolic link.
const MAX_TARGET: usize = 4095;
/// Bits of a mode.
const SETGID: u32 = 0o2000;

impl Pmemfs {
    pub(super) fn lookup_name(&self, parent: Ino, name: Name<'_>) -> Result<Entry> {
        let parent = self.node(parent)?;
        let state = self.read_directory(&parent)?;
        let index = state.index.as_ref().ok_or(Error::NotDirectory)?;
        let found = super::directory::find(&self.medium, &state.inode, index, name)?;
        let child = self.child(parent.ino, found.ok_or(Error::NotFound)?)?;
        let attr = child.attr(&child.read())?;
        child.retain();
        Ok(Entry { attr })
    }

    pub(super) fn create_name(&self, parent: Ino, name: Name<'_>, new: &NewInode<'_>) -> Result<Entry> {
        let target_fits = match new.kind {
            Kind::Symlink => (1..=MAX_TARGET).contains(&new.target.len()),
            _ => new.target.is_empty(),
        };
        if !target_fits {
            return Err(Error::Invalid);
        }
        let parent = self.node(parent)?;
        let mut dir = Edit::directory(self, &parent)?;
        if dir.find(self, name)?.is_some() {
            return Err(Error::Exists);
        }
        let mut tx = Tx::new(&self.medium)?;
        let (ino, at) = self.medium.table.take(&mut tx)?;
        let mut inode = self.new_inode(ino, at, &dir.draft, new);
        self.store_target(&mut tx, at, &mut inode, new.target)?;
        tx.inode(at, &mut inode)?;
        if new.kind == Kind::Directory {
            dir.draft.nlink = dir.draft.nlink.checked_add(1).ok_or(Error::TooManyLinks)?;
        }
        dir.modified();
        dir.insert(&mut tx, name, ino, new.kind)?;
        dir.write(&mut tx)?;
        tx.commit()?;
        dir.done();
        let attr = inode.attr()?;
        self.cache.add(at, inode);
        Ok(Entry { attr })
    }

    /// The record of a new inode in `dir`.
    fn new_inode(&self, ino: Ino, at: u64, dir: &Inode, new: &NewInode<'_>) -> Inode {
        let now = clock::now();
        let mut old = [0; RECORD_LEN];
        self.medium.store.read(at, &mut old);
        // Behind a damaged record any other generation will do.
        let generation = Inode::read(ino, &old).map_or(now.sec as u64, |old| old.generation) + 1;
        let directory = new.kind == Kind::Directory;
        let (mut perm, mut gid) = (new.perm & 0o7777, new.gid);
        if u32::from(dir.perm) & SETGID != 0 {
            gid = dir.gid;
            if directory {
                perm |= SETGID;
            }
        }
        let device = matches!(new.kind, Kind::CharDevice | Kind::BlockDevice);
        Inode {
            kind: Some(new.kind),
            perm: perm as u16,
            nlink: if directory { 2 } else { 1 },
            uid: new.uid,
            gid,
            rdev: if device { new.rdev } else { 0 },
            parent: if directory { dir.ino } else { 0 },
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            ..Inode::free(ino, generation)
        }
    }

    /// Stores the target of a symbolic link: beside its record if it fits there, else in a block.
    fn store_target(&self, tx: &mut Tx<'_>, at: u64, inode: &mut Inode, target: &[u8]) -> Result<()> {
        inode.size = target.len() as u64;
        inode.inline_crc = crc32c::crc32c(target);
        if target.is_empty() {
            return Ok(());
        }
        if target.len() <= INLINE_MAX {
            let mut bytes = target.to_vec();
            bytes.resize(target.len().next_multiple_of(8), 0);
            return tx.write(at + INLINE_AT, &bytes);
        }
        let block = tx.take_zeroed(None)?;
        tx.write_in(block, 0, target)?;
        inode.blocks = 1;
        tree::set(tx, inode, 0, Pointer::to(block))
    }

    pub(super) fn read_target(&self, ino: Ino) -> Result<Vec<u8>> {
        let node = self.node(ino)?;
        let state = node.read();
        let inode = &state.inode;
        if inode.kind.ok_or(Error::Stale)? != Kind::Symlink {
            return Err(Error::Invalid);
        }
        let len = inode.size as usize;
        if !(1..=MAX_TARGET).contains(&len) {
            return Err(Error::Io);
        }
        let mut target = vec![0; len];
        if len <= INLINE_MAX {
            self.medium.store.read(node.at + INLINE_AT, &mut target);
        } else {
            let pointer = tree::get(&self.medium, inode, 0)?.ok_or(Error::Io)?;
            self.medium.store.read(pointer.block * BLOCK, &mut target);
        }
        if crc32c::crc32c(&target) != inode.inline_crc {
            return Err(Error::Io);
        }
        node.accessed(&self.medium, &state);
        Ok(target)
    }

    pub(super) fn link_name(&self, ino: Ino, parent: Ino, name: Name<'_>) -> Result<Entry> {
        let parent = self.node(parent)?;
        let node = self.node(ino)?;
        // Before the parent is locked: a directory could be one above it. What it is never changes.
        let kind = node.read().inode.kind.ok_or(Error::Stale)?;
        if kind == Kind::Directory {
            return Err(Error::NotOwner);
        }
        let mut dir = Edit::directory(self, &parent)?;
        let mut target = Edit::of(&node)?;
        if dir.find(self, name)?.is_some() {
            return Err(Error::Exists);
        }
        match target.draft.nlink {
            0 => return Err(Error::NotFound),
            MAX_LINKS.. => return Err(Error::TooManyLinks),
            _ => target.draft.nlink += 1,
        }
        let mut tx = Tx::new(&self.medium)?;
        target.changed();
        dir.modified();
        dir.insert(&mut tx, name, ino, kind)?;
        dir.write(&mut tx)?;
        target.write(&mut tx)?;
        tx.commit()?;
        dir.done();
        target.done();
        node.retain();
        Ok(Entry {
            attr: node.attr(&target.state)?,
        })
    }

    /// Removes a name: of a directory, or of anything else.
    pub(super) fn remove_name(&self, parent: Ino, name: Name<'_>, directory: bool) -> Result<()> {
        let parent = self.node(parent)?;
        let mut dir = Edit::directory(self, &parent)?;
        let found = dir.find(self, name)?.ok_or(Error::NotFound)?;
        match (found.kind, directory) {
            (Kind::Directory, false) => return Err(Error::IsDirectory),
            (Kind::Directory, true) | (_, false) => {}
            (_, true) => return Err(Error::NotDirectory),
        }
        let child = self.child(parent.ino, found)?;
        let mut victim = self.victim(&child, found.kind)?;
        let mut tx = Tx::new(&self.medium)?;
        if directory {
            dir.unlink()?;
        }
        dir.modified();
        dir.remove(&mut tx, found)?;
        dir.write(&mut tx)?;
        victim.write(&mut tx)?;
        tx.commit()?;
        dir.done();
        victim.done();
        drop(dir);
        self.finish_if_last(victim)
    }

    /// Locks what is about to lose a name, and counts that name off. A directory loses it only if it is empty,
    /// and then all.
    pub(super) fn victim<'n>(&self, node: &'n Arc<Node>, kind: Kind) -> Result<Edit<'n>> {
        let mut victim = if kind == Kind::Directory {
            let mut victim = Edit::directory(self, node)?;
            if !victim.is_empty() {
                return Err(Error::NotEmpty);
            }
            victim.draft.nlink = 0;
            victim
        } else {
            let mut victim = Edit::of(node)?;
            victim.unlink()?;
            victim
        };
        victim.changed();
        Ok(victim)
    }
}
