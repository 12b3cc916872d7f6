// SPDX-License-Identifier: MIT
//! A file system that panics or dawdles, behind a mount.

use std::fs;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use relay::Strategy;
use relay::memory::Window;
use zus::feeder::fuse::FuseOptions;
use zus::fs::nullfs::Nullfs;
use zus::fs::{Attr, DirEntry, Entry, FileSystem, Ino, Name, NewInode, RenameMode, Result, SetAttr, StatFs};

use crate::mounted::{Mounted, at_work};

/// Does something else before it writes.
struct BeforeWriting<F>(F, Nullfs);

impl<F: Fn() + Send + Sync> FileSystem for BeforeWriting<F> {
    fn kind(&self) -> &'static str {
        "faults"
    }
    fn lookup(&self, parent: Ino, name: Name<'_>) -> Result<Entry> {
        self.1.lookup(parent, name)
    }
    fn forget(&self, ino: Ino, count: u64) {
        self.1.forget(ino, count);
    }
    fn getattr(&self, ino: Ino) -> Result<Attr> {
        self.1.getattr(ino)
    }
    fn setattr(&self, ino: Ino, changes: &SetAttr) -> Result<Attr> {
        self.1.setattr(ino, changes)
    }
    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        self.1.readlink(ino)
    }
    fn create(&self, parent: Ino, name: Name<'_>, new: &NewInode<'_>) -> Result<Entry> {
        self.1.create(parent, name, new)
    }
    fn link(&self, ino: Ino, parent: Ino, name: Name<'_>) -> Result<Entry> {
        self.1.link(ino, parent, name)
    }
    fn unlink(&self, parent: Ino, name: Name<'_>) -> Result<()> {
        self.1.unlink(parent, name)
    }
    fn rmdir(&self, parent: Ino, name: Name<'_>) -> Result<()> {
        self.1.rmdir(parent, name)
    }
    fn rename(&self, p: Ino, n: Name<'_>, np: Ino, nn: Name<'_>, mode: RenameMode) -> Result<()> {
        self.1.rename(p, n, np, nn, mode)
    }
    fn read(&self, ino: Ino, offset: u64, to: Window<'_>) -> Result<usize> {
        self.1.read(ino, offset, to)
    }
    fn write(&self, ino: Ino, offset: u64, from: Window<'_>, sync: bool) -> Result<usize> {
        self.0();
        self.1.write(ino, offset, from, sync)
    }
    fn fsync(&self, ino: Ino, data_only: bool) -> Result<()> {
        self.1.fsync(ino, data_only)
    }
    fn sync(&self) -> Result<()> {
        self.1.sync()
    }
    fn readdir(&self, ino: Ino, cookie: u64, each: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<()> {
        self.1.readdir(ino, cookie, each)
    }
    fn statfs(&self) -> Result<StatFs> {
        self.1.statfs()
    }
}

fn mounted(before_writing: impl Fn() + Send + Sync + 'static, strategy: Strategy) -> Option<Mounted> {
    let fs = BeforeWriting(before_writing, Nullfs::new());
    Mounted::new(at_work(fs, strategy), &FuseOptions::default())
}

#[test]
fn a_panic_in_a_file_system_is_an_i_o_error_and_the_mount_lives_on() {
    let Some(m) = mounted(|| panic!("planted"), Strategy::Hybrid) else {
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

#[test]
fn a_request_that_takes_long_does_not_hold_up_the_others() {
    for strategy in Strategy::ALL {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let wait = {
            let gate = gate.clone();
            move || {
                let open = gate.0.lock().unwrap();
                drop(gate.1.wait_while(open, |open| !*open).unwrap());
            }
        };
        let Some(m) = mounted(wait, strategy) else { return };
        thread::scope(|scope| {
            scope.spawn(|| fs::write(m.path("f"), "x").unwrap());
            while fs::metadata(m.path("f")).is_err() {}
            // Whether it has begun to write by now or not: these are answered.
            for n in 0..100 {
                fs::create_dir(m.path(&n.to_string())).unwrap();
            }
            *gate.0.lock().unwrap() = true;
            gate.1.notify_all();
        });
    }
}
