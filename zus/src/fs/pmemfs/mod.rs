// SPDX-License-Identifier: MIT
//! pmemfs: a file system on persistent memory, or on an image file that is mapped like it.
//!
//! Read from the bottom up: [`mod@format`] is what stands on the medium; [`medium`] makes changes to it atomic and
//! knows what is free; [`node`], [`cache`], [`index`], [`directory`] and [`edit`] are inodes in DRAM;
//! [`names`], [`rename`], [`mod@file`], [`extent`] and [`attributes`] are the operations; [`mod@mkfs`], [`mount`] and
//! [`mod@check`] are what surrounds a mount. What it promises, and its locks, are in `docs/pmemfs.md`.
#![forbid(unsafe_code)]

mod attributes;
mod cache;
mod check;
mod clock;
mod directory;
mod edit;
mod extent;
mod file;
mod format;
mod index;
mod medium;
mod mkfs;
mod mount;
mod names;
mod node;
mod rename;

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use relay::memory::Window;

use cache::Cache;
use medium::Medium;

pub use check::{Report, check};
pub use mkfs::{MIN_LEN, MkfsError, MkfsOptions, format, mkfs};
pub use mount::MountError;

use super::{
    Attr, DirEntry, Entry, FallocateMode, FileSystem, Ino, Name, NewInode, RenameMode, Result, Seek, SetAttr,
    StatFs,
};

/// A mounted pmemfs.
#[derive(Debug)]
pub struct Pmemfs {
    medium: Medium,
    cache: Cache,
    /// Held by whoever changes which directory is in which.
    moving: Mutex<()>,
    /// Whether [`Pmemfs::unmount`] has been done.
    unmounted: AtomicBool,
}

impl FileSystem for Pmemfs {
    fn kind(&self) -> &'static str {
        "pmemfs"
    }
    fn lookup(&self, parent: Ino, name: Name<'_>) -> Result<Entry> {
        self.lookup_name(parent, name)
    }
    fn by_number(&self, ino: Ino) -> Result<Entry> {
        let node = self.node(ino)?;
        // Under the lock, so that nobody frees it in between.
        let state = node.read();
        let attr = node.attr(&state)?;
        node.retain();
        Ok(Entry { attr })
    }
    fn forget(&self, ino: Ino, count: u64) {
        self.forget_node(ino, count);
    }
    fn getattr(&self, ino: Ino) -> Result<Attr> {
        let node = self.node(ino)?;
        node.attr(&node.read())
    }
    fn setattr(&self, ino: Ino, changes: &SetAttr) -> Result<Attr> {
        self.set_attributes(ino, changes)
    }
    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        self.read_target(ino)
    }
    fn create(&self, parent: Ino, name: Name<'_>, new: &NewInode<'_>) -> Result<Entry> {
        self.create_name(parent, name, new)
    }
    fn link(&self, ino: Ino, parent: Ino, name: Name<'_>) -> Result<Entry> {
        self.link_name(ino, parent, name)
    }
    fn unlink(&self, parent: Ino, name: Name<'_>) -> Result<()> {
        self.remove_name(parent, name, false)
    }
    fn rmdir(&self, parent: Ino, name: Name<'_>) -> Result<()> {
        self.remove_name(parent, name, true)
    }
    fn rename(
        &self,
        parent: Ino,
        name: Name<'_>,
        new_parent: Ino,
        new_name: Name<'_>,
        mode: RenameMode,
    ) -> Result<()> {
        self.rename_name([parent, new_parent], [name, new_name], mode)
    }
    fn read(&self, ino: Ino, offset: u64, to: Window<'_>) -> Result<usize> {
        self.read_file(ino, offset, to)
    }
    fn write(&self, ino: Ino, offset: u64, from: Window<'_>, sync: bool) -> Result<usize> {
        self.write_file(ino, offset, from, sync)
    }
    fn fsync(&self, ino: Ino, _data_only: bool) -> Result<()> {
        self.node(ino)?;
        self.sync()
    }
    fn sync(&self) -> Result<()> {
        self.medium.store.fence();
        Ok(self.medium.store.sync()?)
    }
    fn readdir(&self, ino: Ino, cookie: u64, each: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<()> {
        self.read_entries(ino, cookie, each)
    }
    fn statfs(&self) -> Result<StatFs> {
        Ok(self.space())
    }
    fn seek(&self, ino: Ino, offset: u64, what: Seek) -> Result<u64> {
        self.seek_file(ino, offset, what)
    }
    fn fallocate(&self, ino: Ino, offset: u64, len: u64, mode: FallocateMode) -> Result<()> {
        self.allocate(ino, offset, len, mode)
    }
}
