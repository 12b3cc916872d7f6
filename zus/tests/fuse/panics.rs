// SPDX-License-Identifier: MIT
//! A file system that panics, behind a mount.

use std::fs;

use relay::Strategy;
use relay::memory::Window;
use zus::feeder::fuse::FuseOptions;
use zus::fs::nullfs::Nullfs;
use zus::fs::{Attr, DirEntry, Entry, FileSystem, Ino, Name, NewInode, RenameMode, Result, SetAttr, StatFs};

use crate::mounted::{Mounted, at_work};

/// Panics where it writes.
struct Panics(Nullfs);

impl FileSystem for Panics {
    fn kind(&self) -> &'static str {
        "panics"
    }
    fn lookup(&self, parent: Ino, name: Name<'_>) -> Result<Entry> {
        self.0.lookup(parent, name)
    }
    fn forget(&self, ino: Ino, count: u64) {
        self.0.forget(ino, count);
    }
    fn getattr(&self, ino: Ino) -> Result<Attr> {
        self.0.getattr(ino)
    }
    fn setattr(&self, ino: Ino, changes: &SetAttr) -> Result<Attr> {
        self.0.setattr(ino, changes)
    }
    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        self.0.readlink(ino)
    }
    fn create(&self, parent: Ino, name: Name<'_>, new: &NewInode<'_>) -> Result<Entry> {
        self.0.create(parent, name, new)
    }
    fn link(&self, ino: Ino, parent: Ino, name: Name<'_>) -> Result<Entry> {
        self.0.link(ino, parent, name)
    }
    fn unlink(&self, parent: Ino, name: Name<'_>) -> Result<()> {
        self.0.unlink(parent, name)
    }
    fn rmdir(&self, parent: Ino, name: Name<'_>) -> Result<()> {
        self.0.rmdir(parent, name)
    }
    fn rename(&self, p: Ino, n: Name<'_>, np: Ino, nn: Name<'_>, mode: RenameMode) -> Result<()> {
        self.0.rename(p, n, np, nn, mode)
    }
    fn read(&self, ino: Ino, offset: u64, to: Window<'_>) -> Result<usize> {
        self.0.read(ino, offset, to)
    }
    fn write(&self, _: Ino, _: u64, _: Window<'_>, _: bool) -> Result<usize> {
        panic!("planted: write");
    }
    fn fsync(&self, ino: Ino, data_only: bool) -> Result<()> {
        self.0.fsync(ino, data_only)
    }
    fn sync(&self) -> Result<()> {
        self.0.sync()
    }
    fn readdir(&self, ino: Ino, cookie: u64, each: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<()> {
        self.0.readdir(ino, cookie, each)
    }
    fn statfs(&self) -> Result<StatFs> {
        self.0.statfs()
    }
}

#[test]
fn a_panic_in_a_file_system_is_an_i_o_error_and_the_mount_lives_on() {
    let Some(m) = Mounted::new(
        at_work(Panics(Nullfs::new()), Strategy::Hybrid),
        &FuseOptions::default(),
    ) else {
        return;
    };
    // More often than there are workers.
    for n in 0..20 {
        let error = fs::write(m.path("f"), "x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        fs::create_dir(m.path(&n.to_string())).unwrap();
    }
    assert_eq!(fs::read_dir(m.path(".")).unwrap().count(), 21);
}
