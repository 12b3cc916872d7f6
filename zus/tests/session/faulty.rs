// SPDX-License-Identifier: MIT
//! A file system with faults.

use relay::memory::Window;
use zus::engine::Access;
use zus::fs::nullfs::Nullfs;
use zus::fs::{Attr, DirEntry, Entry, FileSystem, Ino, Name, NewInode, RenameMode, Result, SetAttr, StatFs};
use zus_protocol::{Opcode, ROOT_ID, WriteIn};

use crate::peer::{Errno, Peer, caller, cstr, mount};

/// Panics where it reads and forgets, and says it did more than it could where it writes.
struct Faulty(Nullfs);

impl FileSystem for Faulty {
    fn kind(&self) -> &'static str {
        "faulty"
    }
    fn lookup(&self, parent: Ino, name: Name<'_>) -> Result<Entry> {
        self.0.lookup(parent, name)
    }
    fn forget(&self, _: Ino, _: u64) {
        panic!("planted: forget");
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
    fn read(&self, _: Ino, _: u64, _: Window<'_>) -> Result<usize> {
        panic!("planted: read");
    }
    fn write(&self, _: Ino, _: u64, from: Window<'_>, _: bool) -> Result<usize> {
        Ok(from.len() + 1)
    }
    fn fsync(&self, ino: Ino, data_only: bool) -> Result<()> {
        self.0.fsync(ino, data_only)
    }
    fn sync(&self) -> Result<()> {
        self.0.sync()
    }
    fn readdir(&self, _: Ino, _: u64, each: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<()> {
        let name = [b'x'; 1000];
        let entry = DirEntry {
            ino: 2,
            kind: zus::fs::Kind::File,
            name: &name,
            cookie: 1,
        };
        each(&entry);
        Ok(())
    }
    fn statfs(&self) -> Result<StatFs> {
        self.0.statfs()
    }
}

#[test]
fn a_panic_in_a_file_system_answers_eio_and_the_session_lives_on() {
    let mount = mount(Faulty(Nullfs::new()));
    for access in [Access::Kernel, caller(0)] {
        let peer = Peer::of(&mount, access.clone());
        let name = format!("{access:?}");
        let ino = peer.file(&name);
        if matches!(access, Access::Kernel) {
            assert_eq!(peer.read(ino, 0, 0, 10), Err(Errno(libc::EIO)));
        }
        peer.forget(ino, 1);
        assert_eq!(peer.lookup(ROOT_ID, &name).unwrap().nodeid, ino);
        assert_eq!(
            peer.run(Opcode::Unlink, ROOT_ID, &[&cstr(&name)]).is_ok(),
            matches!(access, Access::Kernel)
        );
    } // dropping the session gives references back, which panics too
    assert!(
        mount
            .counters()
            .snapshot()
            .iter()
            .any(|count| count.operation == "READ" && count.errors == 1)
    );
}

#[test]
fn a_file_system_that_claims_the_impossible_is_not_believed() {
    let peer = Peer::of(&mount(Faulty(Nullfs::new())), Access::Kernel);
    let ino = peer.file("f");
    assert_eq!(peer.write(ino, WriteIn::default(), b"abc"), Err(Errno(libc::EIO)));
    for opcode in [Opcode::Readdir, Opcode::Readdirplus] {
        let read = zus_protocol::ReadIn {
            size: 4096,
            ..Default::default()
        };
        let listed = peer.ask(opcode, ROOT_ID, &[zerocopy::IntoBytes::as_bytes(&read)], &[]);
        assert_eq!(listed, Err(Errno(libc::EINVAL)), "a name too long for any record");
    }
}
