// SPDX-License-Identifier: MIT
//! A file system that answers at once and keeps no data: it prices the path to a file system.
//!
//! Names and attributes are kept in memory, so that files can be made, filled, listed and removed; what is
//! written is copied into a buffer of 4 KiB and forgotten, and reads return zeroes, so that the payload is
//! touched as a real file system would touch it. Nothing outlives the server.

mod tree;

use std::cell::RefCell;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use relay::memory::Window;

use self::tree::Tree;
use super::{
    Attr, DirEntry, Entry, Error, FallocateMode, FileSystem, Ino, Kind, Name, NewInode, RenameMode, Result,
    Seek, SetAttr, SetTime, StatFs, Timestamp,
};

/// Payload is copied in pieces of this many bytes: small enough to stay in the nearest cache.
const PIECE: usize = 4096;

/// The largest file, in bytes.
const MAX_SIZE: u64 = i64::MAX as u64;

/// See the module.
pub struct Nullfs(RwLock<Tree>);

impl Nullfs {
    /// An empty one.
    pub fn new() -> Self {
        Self(RwLock::new(Tree::new()))
    }

    /// For looking, and for changing the attributes of one inode, which have a lock of their own.
    fn tree(&self) -> RwLockReadGuard<'_, Tree> {
        self.0.read().unwrap_or_else(|poison| poison.into_inner())
    }

    /// For changing names.
    fn tree_mut(&self) -> RwLockWriteGuard<'_, Tree> {
        self.0.write().unwrap_or_else(|poison| poison.into_inner())
    }
}

impl Default for Nullfs {
    fn default() -> Self {
        Self::new()
    }
}

impl FileSystem for Nullfs {
    fn kind(&self) -> &'static str {
        "nullfs"
    }

    fn lookup(&self, parent: Ino, name: Name<'_>) -> Result<Entry> {
        let tree = self.tree();
        let ino = tree.directory(parent)?.find(name).ok_or(Error::NotFound)?;
        tree.refer(ino)
    }

    fn by_number(&self, ino: Ino) -> Result<Entry> {
        self.tree().refer(ino)
    }

    fn forget(&self, ino: Ino, count: u64) {
        let unused = self.tree().unrefer(ino, count);
        if unused {
            self.tree_mut().bury(ino);
        }
    }

    fn getattr(&self, ino: Ino) -> Result<Attr> {
        Ok(*self.tree().attr(ino)?)
    }

    fn setattr(&self, ino: Ino, changes: &SetAttr) -> Result<Attr> {
        let tree = self.tree();
        let mut attr = tree.attr(ino)?;
        let now = Timestamp::now();
        let time = |time: SetTime| match time {
            SetTime::Now => now,
            SetTime::At(time) => time,
        };
        if let Some(size) = changes.size {
            match attr.kind {
                Kind::File if size > MAX_SIZE => return Err(Error::TooLarge),
                Kind::File => attr.size = size,
                Kind::Directory => return Err(Error::IsDirectory),
                _ => return Err(Error::Invalid),
            }
        }
        attr.perm = changes.perm.unwrap_or(attr.perm);
        attr.uid = changes.uid.unwrap_or(attr.uid);
        attr.gid = changes.gid.unwrap_or(attr.gid);
        attr.atime = changes.atime.map_or(attr.atime, time);
        attr.mtime = changes.mtime.map_or(attr.mtime, time);
        attr.ctime = changes.ctime.unwrap_or(now);
        Ok(*attr)
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        self.tree().target(ino).map(<[u8]>::to_vec)
    }

    fn create(&self, parent: Ino, name: Name<'_>, new: &NewInode<'_>) -> Result<Entry> {
        let mut tree = self.tree_mut();
        let ino = tree.create(parent, name, new)?;
        tree.refer(ino)
    }

    fn link(&self, ino: Ino, parent: Ino, name: Name<'_>) -> Result<Entry> {
        let mut tree = self.tree_mut();
        tree.link(ino, parent, name)?;
        tree.refer(ino)
    }

    fn unlink(&self, parent: Ino, name: Name<'_>) -> Result<()> {
        self.tree_mut().remove(parent, name, false)
    }

    fn rmdir(&self, parent: Ino, name: Name<'_>) -> Result<()> {
        self.tree_mut().remove(parent, name, true)
    }

    fn rename(
        &self,
        parent: Ino,
        name: Name<'_>,
        new_parent: Ino,
        new_name: Name<'_>,
        mode: RenameMode,
    ) -> Result<()> {
        self.tree_mut()
            .rename((parent, name), (new_parent, new_name), mode)
    }

    fn read(&self, ino: Ino, offset: u64, to: Window<'_>) -> Result<usize> {
        static ZEROES: [u8; PIECE] = [0; PIECE];
        let size = self.tree().file(ino)?.size;
        let len = size.saturating_sub(offset).min(to.len() as u64) as usize;
        let mut done = 0;
        while done < len {
            let piece = PIECE.min(len - done);
            to.write(done, &ZEROES[..piece]);
            done += piece;
        }
        Ok(len)
    }

    fn write(&self, ino: Ino, offset: u64, from: Window<'_>, _sync: bool) -> Result<usize> {
        thread_local!(static SINK: RefCell<[u8; PIECE]> = const { RefCell::new([0; PIECE]) });
        let end = offset.checked_add(from.len() as u64).ok_or(Error::TooLarge)?;
        if end > MAX_SIZE {
            return Err(Error::TooLarge);
        }
        let tree = self.tree();
        let mut attr = tree.file(ino)?;
        SINK.with_borrow_mut(|sink| {
            let mut done = 0;
            while done < from.len() {
                let piece = PIECE.min(from.len() - done);
                from.read(done, &mut sink[..piece]);
                done += piece;
            }
        });
        if !from.is_empty() {
            attr.size = attr.size.max(end);
            attr.mtime = Timestamp::now();
            attr.ctime = attr.mtime;
        }
        Ok(from.len())
    }

    fn fsync(&self, ino: Ino, _data_only: bool) -> Result<()> {
        self.tree().attr(ino).map(drop)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn readdir(&self, ino: Ino, cookie: u64, each: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<()> {
        let tree = self.tree();
        tree.directory(ino)?.list(ino, cookie, each);
        Ok(())
    }

    fn statfs(&self) -> Result<StatFs> {
        // As much as anybody could ask for.
        const PLENTY: u64 = 1 << 32;
        let files = PLENTY;
        Ok(StatFs {
            block_size: PIECE as u32,
            blocks: PLENTY,
            blocks_free: PLENTY,
            blocks_available: PLENTY,
            files,
            files_free: files - self.tree().len() as u64,
            name_max: Name::MAX as u32,
        })
    }

    fn seek(&self, ino: Ino, offset: u64, what: Seek) -> Result<u64> {
        let size = self.tree().file(ino)?.size;
        match what {
            // All of it reads as zeroes, and none of it is stored.
            Seek::Hole if offset < size => Ok(offset),
            _ => Err(Error::NoData),
        }
    }

    fn fallocate(&self, ino: Ino, offset: u64, len: u64, mode: FallocateMode) -> Result<()> {
        let end = offset.checked_add(len).ok_or(Error::TooLarge)?;
        if end > MAX_SIZE {
            return Err(Error::TooLarge);
        }
        let tree = self.tree();
        let mut attr = tree.file(ino)?;
        let grows = matches!(
            mode,
            FallocateMode::Reserve { keep_size: false } | FallocateMode::Zero { keep_size: false }
        );
        if grows {
            attr.size = attr.size.max(end);
        }
        attr.mtime = Timestamp::now();
        attr.ctime = attr.mtime;
        Ok(())
    }
}
