// SPDX-License-Identifier: MIT
//! A process over shared memory as the client: not trusted with anything but itself.

use zerocopy::IntoBytes;
use zus::engine::Access;
use zus::fs::nullfs::Nullfs;
use zus_protocol::*;

use crate::peer::{Errno, Peer, caller, cstr, mount};

fn open(peer: &Peer, ino: u64, flags: i32) -> Result<u64, Errno> {
    let open = OpenIn {
        flags: flags as u32,
        ..Default::default()
    };
    peer.get(Opcode::Open, ino, &[open.as_bytes()])
        .map(|out: OpenOut| out.fh)
}

fn release(peer: &Peer, ino: u64, fh: u64) -> Result<(), Errno> {
    let release = ReleaseIn {
        fh,
        ..Default::default()
    };
    peer.run(Opcode::Release, ino, &[release.as_bytes()])
}

fn create(peer: &Peer, name: &str, mode: u32) -> Result<(EntryOut, OpenOut), Errno> {
    let create = CreateIn {
        flags: libc::O_RDWR as u32,
        mode,
        umask: 0o022,
        ..Default::default()
    };
    let (body, _) = peer.ask(Opcode::Create, ROOT_ID, &[create.as_bytes(), &cstr(name)], &[])?;
    let (entry, open) = body.split_at(size_of::<EntryOut>());
    Ok((
        zerocopy::FromBytes::read_from_bytes(entry).unwrap(),
        zerocopy::FromBytes::read_from_bytes(open).unwrap(),
    ))
}

fn write(fh: u64) -> WriteIn {
    WriteIn {
        fh,
        ..Default::default()
    }
}

#[test]
fn a_file_is_used_as_it_was_opened() {
    let peer = Peer::of(&mount(Nullfs::new()), caller(0));
    let ino = peer.file("f");
    let (reading, writing) = (
        open(&peer, ino, libc::O_RDONLY).unwrap(),
        open(&peer, ino, libc::O_WRONLY).unwrap(),
    );
    assert_eq!(peer.write(ino, write(writing), b"abc"), Ok(3));
    assert_eq!(peer.write(ino, write(reading), b"abc"), Err(Errno(libc::EBADF)));
    assert_eq!(peer.read(ino, reading, 0, 9).unwrap().len(), 3);
    assert_eq!(peer.read(ino, writing, 0, 9), Err(Errno(libc::EBADF)));
    assert_eq!(
        peer.read(ROOT_ID, reading, 0, 9),
        Err(Errno(libc::EBADF)),
        "of another inode"
    );
    assert_eq!(release(&peer, ino, reading), Ok(()));
    assert_eq!(release(&peer, ino, reading), Err(Errno(libc::EBADF)));
    assert_eq!(peer.read(ino, reading, 0, 9), Err(Errno(libc::EBADF)));
}

#[test]
fn handles_and_inode_numbers_of_others_mean_nothing() {
    let mount = mount(Nullfs::new());
    let (one, other) = (Peer::of(&mount, caller(0)), Peer::of(&mount, caller(0)));
    let ino = one.file("f");
    let fh = open(&one, ino, libc::O_RDWR).unwrap();
    assert_eq!(other.read(ino, fh, 0, 1), Err(Errno(libc::EBADF)));
    let attributes: Result<AttrOut, _> = other.get(Opcode::Getattr, ino, &[GetattrIn::default().as_bytes()]);
    assert_eq!(attributes, Err(Errno(libc::ESTALE)), "never looked up");
    let link = LinkIn { oldnodeid: ino };
    assert_eq!(
        other.run(Opcode::Link, ROOT_ID, &[link.as_bytes(), &cstr("g")]),
        Err(Errno(libc::ESTALE))
    );
}

#[test]
fn nobody_can_give_back_what_another_holds() {
    let mount = mount(Nullfs::new());
    let (one, other) = (Peer::of(&mount, caller(0)), Peer::of(&mount, caller(0)));
    let ino = one.file("f");
    assert_eq!(other.lookup(ROOT_ID, "f").unwrap().nodeid, ino);
    one.run(Opcode::Unlink, ROOT_ID, &[&cstr("f")]).unwrap();
    other.forget(ino, u64::MAX);
    other.forget(ino, u64::MAX);
    assert_eq!(one.inodes(), 2);
    one.forget(ino, 1);
    assert_eq!(one.inodes(), 1);
}

#[test]
fn an_open_file_outlives_its_references_and_not_its_client() {
    let mount = mount(Nullfs::new());
    let (watcher, peer) = (Peer::of(&mount, Access::Kernel), Peer::of(&mount, caller(0)));
    let ino = peer.file("f");
    let fh = open(&peer, ino, libc::O_RDWR).unwrap();
    let second = open(&peer, ino, libc::O_RDWR).unwrap();
    peer.run(Opcode::Unlink, ROOT_ID, &[&cstr("f")]).unwrap();
    peer.forget(ino, 1);
    assert_eq!(peer.write(ino, write(fh), b"abc"), Ok(3));
    release(&peer, ino, fh).unwrap();
    assert_eq!(watcher.inodes(), 2);
    release(&peer, ino, second).unwrap();
    assert_eq!(watcher.inodes(), 1);

    let ino = peer.file("g");
    open(&peer, ino, libc::O_RDWR).unwrap();
    peer.run(Opcode::Unlink, ROOT_ID, &[&cstr("g")]).unwrap();
    assert_eq!(watcher.inodes(), 2);
    drop(peer);
    assert_eq!(watcher.inodes(), 1);
}

#[test]
fn appends_go_to_the_end_whatever_the_offset() {
    let peer = Peer::of(&mount(Nullfs::new()), caller(0));
    let ino = peer.file("f");
    let fh = open(&peer, ino, libc::O_WRONLY | libc::O_APPEND).unwrap();
    for _ in 0..3 {
        assert_eq!(peer.write(ino, write(fh), b"abc"), Ok(3));
    }
    let attr: AttrOut = peer
        .get(Opcode::Getattr, ino, &[GetattrIn::default().as_bytes()])
        .unwrap();
    assert_eq!(attr.attr.size, 9);
    assert_eq!(attr.attr_valid, 0, "others may change it at any time");
}

#[test]
fn who_asks_is_who_connected() {
    let mount = mount(Nullfs::new());
    let root = Peer::of(&mount, caller(0));
    let open_to_all = SetattrIn {
        valid: fattr::MODE,
        mode: 0o777,
        ..Default::default()
    };
    let user = Peer::of(&mount, caller(500));
    assert_eq!(create(&user, "f", 0o666).unwrap_err(), Errno(libc::EACCES));
    root.run(Opcode::Setattr, ROOT_ID, &[open_to_all.as_bytes()])
        .unwrap();
    let (entry, opened) = create(&user, "f", 0o666).unwrap();
    // The message says uid 1000; the socket said 500.
    assert_eq!(
        (entry.attr.uid, entry.attr.gid, entry.attr.mode & 0o7777),
        (500, 500, 0o644)
    );
    assert_eq!(user.write(entry.nodeid, write(opened.fh), b"x"), Ok(1));
    assert_eq!(create(&user, "f", 0o666).unwrap_err(), Errno(libc::EEXIST));

    let stranger = Peer::of(&mount, caller(501));
    let ino = stranger.lookup(ROOT_ID, "f").unwrap().nodeid;
    assert!(open(&stranger, ino, libc::O_RDONLY).is_ok());
    for flags in [libc::O_RDWR, libc::O_WRONLY, libc::O_RDONLY | libc::O_TRUNC] {
        assert_eq!(open(&stranger, ino, flags), Err(Errno(libc::EACCES)));
    }
    assert_eq!(
        stranger.run(Opcode::Setattr, ino, &[open_to_all.as_bytes()]),
        Err(Errno(libc::EPERM))
    );
    assert_eq!(
        stranger.mknod(ROOT_ID, "disk", libc::S_IFBLK | 0o600),
        Err(Errno(libc::EPERM))
    );
    assert_eq!(stranger.lookup(ROOT_ID, "nothing"), Err(Errno(libc::ENOENT)));
}

#[test]
fn a_sticky_directory_protects_its_files_from_others() {
    let mount = mount(Nullfs::new());
    let root = Peer::of(&mount, caller(0));
    let sticky = SetattrIn {
        valid: fattr::MODE,
        mode: 0o1777,
        ..Default::default()
    };
    root.run(Opcode::Setattr, ROOT_ID, &[sticky.as_bytes()]).unwrap();
    let (owner, stranger) = (Peer::of(&mount, caller(500)), Peer::of(&mount, caller(501)));
    owner.file("f");
    stranger.file("g");
    let unlink = |peer: &Peer, name| peer.run(Opcode::Unlink, ROOT_ID, &[&cstr(name)]);
    let rename = |peer: &Peer, from: &str, to: &str| {
        let newdir = RenameIn { newdir: ROOT_ID };
        peer.run(
            Opcode::Rename,
            ROOT_ID,
            &[newdir.as_bytes(), &cstr(from), &cstr(to)],
        )
    };
    assert_eq!(unlink(&stranger, "f"), Err(Errno(libc::EPERM)));
    assert_eq!(rename(&stranger, "f", "h"), Err(Errno(libc::EPERM)));
    assert_eq!(
        rename(&stranger, "g", "f"),
        Err(Errno(libc::EPERM)),
        "it would go that way too"
    );
    assert_eq!(unlink(&stranger, "nothing"), Err(Errno(libc::ENOENT)));
    assert_eq!(rename(&owner, "f", "h"), Ok(()));
    assert_eq!(unlink(&owner, "h"), Ok(()));
    // What was looked up to be checked is not held: the root and "g" are left.
    drop((owner, stranger));
    assert_eq!(root.inodes(), 2);
}

#[test]
fn opening_with_truncation_truncates() {
    let peer = Peer::of(&mount(Nullfs::new()), caller(0));
    let ino = peer.file("f");
    let fh = open(&peer, ino, libc::O_WRONLY).unwrap();
    peer.write(ino, write(fh), b"abc").unwrap();
    let fh = open(&peer, ino, libc::O_RDWR | libc::O_TRUNC).unwrap();
    assert_eq!(peer.read(ino, fh, 0, 9).unwrap(), b"");
    assert_eq!(open(&peer, ROOT_ID, libc::O_RDWR), Err(Errno(libc::EISDIR)));
    assert_eq!(
        peer.run(Opcode::Opendir, ino, &[OpenIn::default().as_bytes()]),
        Err(Errno(libc::ENOTDIR))
    );
}
