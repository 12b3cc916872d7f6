// SPDX-License-Identifier: MIT
//! The kernel as the client.

use zerocopy::{FromBytes, IntoBytes};
use zus_protocol::*;

use crate::peer::{Errno, Peer, cstr};

fn getattr(peer: &Peer, ino: u64) -> Result<Attr, Errno> {
    peer.get(Opcode::Getattr, ino, &[GetattrIn::default().as_bytes()])
        .map(|out: AttrOut| out.attr)
}

fn setattr(peer: &Peer, ino: u64, changes: SetattrIn) -> Result<Attr, Errno> {
    peer.get(Opcode::Setattr, ino, &[changes.as_bytes()])
        .map(|out: AttrOut| out.attr)
}

#[test]
fn what_is_made_is_found_with_its_attributes() {
    let peer = Peer::kernel();
    let made = peer.mknod(ROOT_ID, "f", libc::S_IFREG | 0o4751).unwrap();
    let found = peer.lookup(ROOT_ID, "f").unwrap();
    assert_eq!(made, found);
    assert_eq!(found.attr.mode, libc::S_IFREG | 0o4751);
    assert_eq!(
        (found.attr.uid, found.attr.gid),
        (1000, 100),
        "for whom the kernel asked"
    );
    assert_eq!(getattr(&peer, made.nodeid).unwrap(), found.attr);
    let device = MknodIn {
        mode: libc::S_IFCHR | 0o600,
        rdev: 0x0010_3805,
        ..Default::default()
    };
    let device: EntryOut = peer
        .get(Opcode::Mknod, ROOT_ID, &[device.as_bytes(), &cstr("tty")])
        .unwrap();
    let statx: StatxOut = peer
        .get(Opcode::Statx, device.nodeid, &[StatxIn::default().as_bytes()])
        .unwrap();
    assert_eq!((statx.stat.rdev_major, statx.stat.rdev_minor), (0x38, 0x105));
    assert_eq!(u32::from(statx.stat.mode), libc::S_IFCHR | 0o600);
    assert_ne!(statx.stat.btime.tv_sec, 0);
}

#[test]
fn that_there_is_no_such_name_can_be_remembered() {
    let nothing = Peer::kernel().lookup(ROOT_ID, "f").unwrap();
    assert_eq!(nothing.nodeid, 0);
    assert!(nothing.entry_valid > 3600);
}

#[test]
fn an_inode_lives_until_its_last_reference_is_given_back() {
    let peer = Peer::kernel();
    let ino = peer.file("f");
    peer.lookup(ROOT_ID, "f").unwrap();
    peer.run(Opcode::Unlink, ROOT_ID, &[&cstr("f")]).unwrap();
    assert_eq!(getattr(&peer, ino).unwrap().nlink, 0);
    peer.forget(ino, 1);
    assert_eq!(peer.inodes(), 2);
    peer.forget(ino, 1);
    assert_eq!(peer.inodes(), 1);
    assert_eq!(getattr(&peer, ino), Err(Errno(libc::ESTALE)));
}

#[test]
fn many_references_are_given_back_at_once() {
    let peer = Peer::kernel();
    let inos: Vec<u64> = ["a", "b", "c"].map(|name| peer.file(name)).into();
    for name in ["a", "b", "c"] {
        peer.run(Opcode::Unlink, ROOT_ID, &[&cstr(name)]).unwrap();
    }
    assert_eq!(peer.inodes(), 4);
    let head = BatchForgetIn {
        count: 3,
        ..Default::default()
    };
    let list: Vec<u8> = inos
        .iter()
        .flat_map(|&nodeid| ForgetOne { nodeid, nlookup: 1 }.as_bytes().to_vec())
        .collect();
    let forget = |body: &[&[u8]]| {
        let message = crate::peer::message(Opcode::BatchForget as u32, 0, 0, body, 0);
        assert!(peer.send(&message, &mut []).is_none());
    };
    forget(&[head.as_bytes(), &list[..40]]); // one is missing: nothing happens
    assert_eq!(peer.inodes(), 4);
    forget(&[head.as_bytes(), &list]);
    assert_eq!(peer.inodes(), 1);
}

#[test]
fn the_end_of_a_session_gives_everything_back() {
    let peer = Peer::kernel();
    let mount = peer.session.mount().clone();
    peer.file("f");
    peer.run(Opcode::Unlink, ROOT_ID, &[&cstr("f")]).unwrap();
    assert_eq!(peer.inodes(), 2);
    drop(peer);
    let next = Peer::of(&mount, zus::engine::Access::Kernel);
    assert_eq!(next.inodes(), 1);
}

#[test]
fn a_file_is_written_and_read() {
    let peer = Peer::kernel();
    let ino = peer.file("f");
    let at = |offset| WriteIn {
        offset,
        ..Default::default()
    };
    assert_eq!(peer.write(ino, at(100), &[7; 5000]), Ok(5000));
    assert_eq!(getattr(&peer, ino).unwrap().size, 5100);
    assert_eq!(
        peer.read(ino, 0, 5000, 4096).unwrap(),
        [0; 100],
        "nullfs keeps no data"
    );
    assert_eq!(peer.read(ino, 0, 9000, 4096).unwrap(), b"");
    assert_eq!(
        peer.write(ino, at(i64::MAX as u64), &[0]),
        Err(Errno(libc::EFBIG))
    );
    assert_eq!(
        peer.write(ino, at(i64::MAX as u64 - 3), &[0; 8]),
        Ok(3),
        "as much as there is room for"
    );
    assert_eq!(peer.read(ino, 0, u64::MAX, 1), Err(Errno(libc::EINVAL)));
    assert_eq!(peer.read(ROOT_ID, 0, 0, 1), Err(Errno(libc::EISDIR)));
}

#[test]
fn links_and_symbolic_links_work() {
    let peer = Peer::kernel();
    let ino = peer.file("f");
    let link = LinkIn { oldnodeid: ino };
    let entry: EntryOut = peer
        .get(Opcode::Link, ROOT_ID, &[link.as_bytes(), &cstr("g")])
        .unwrap();
    assert_eq!((entry.nodeid, entry.attr.nlink), (ino, 2));
    let symlink: EntryOut = peer
        .get(Opcode::Symlink, ROOT_ID, &[&cstr("s"), &cstr("a/b")])
        .unwrap();
    let (target, _) = peer.ask(Opcode::Readlink, symlink.nodeid, &[], &[]).unwrap();
    assert_eq!(target, b"a/b");
    let long = "x".repeat(4096);
    assert_eq!(
        peer.run(Opcode::Symlink, ROOT_ID, &[&cstr("t"), &cstr(&long)]),
        Err(Errno(libc::ENAMETOOLONG))
    );
}

#[test]
fn renames_replace_refuse_and_swap() {
    let peer = Peer::kernel();
    let (a, b) = (peer.file("a"), peer.file("b"));
    let rename = |flags| {
        let to = Rename2In {
            newdir: ROOT_ID,
            flags,
            ..Default::default()
        };
        peer.run(Opcode::Rename2, ROOT_ID, &[to.as_bytes(), &cstr("a"), &cstr("b")])
    };
    let names = || ["a", "b"].map(|name| peer.lookup(ROOT_ID, name).unwrap().nodeid);
    assert_eq!(rename(libc::RENAME_NOREPLACE), Err(Errno(libc::EEXIST)));
    assert_eq!(rename(libc::RENAME_WHITEOUT), Err(Errno(libc::EINVAL)));
    assert_eq!(rename(libc::RENAME_EXCHANGE), Ok(()));
    assert_eq!(names(), [b, a]);
    let to = RenameIn { newdir: ROOT_ID };
    peer.run(Opcode::Rename, ROOT_ID, &[to.as_bytes(), &cstr("a"), &cstr("b")])
        .unwrap();
    assert_eq!(names(), [0, b]);
}

#[test]
fn a_directory_is_listed_in_parts() {
    let peer = Peer::kernel();
    let names: Vec<String> = (0..100).map(|n| format!("{n:0>width$}", width = 1 + n)).collect();
    for name in &names {
        peer.file(name);
    }
    let mut seen = Vec::new();
    let (mut offset, size) = (0, 1000);
    loop {
        let read = ReadIn {
            offset,
            size,
            ..Default::default()
        };
        let (_, mut data) = peer
            .ask(Opcode::Readdir, ROOT_ID, &[read.as_bytes()], &[])
            .unwrap();
        if data.is_empty() {
            break;
        }
        while let Ok((entry, rest)) = Dirent::read_from_prefix(&data) {
            seen.push(String::from_utf8(rest[..entry.namelen as usize].to_vec()).unwrap());
            offset = entry.off;
            data.drain(..rec_align(size_of::<Dirent>() + entry.namelen as usize));
        }
    }
    assert_eq!(seen[..2], [".", ".."]);
    assert_eq!(seen[2..], names);
    let tiny = ReadIn {
        size: 16,
        ..Default::default()
    };
    assert_eq!(
        peer.run(Opcode::Readdir, ROOT_ID, &[tiny.as_bytes()]),
        Err(Errno(libc::EINVAL)),
        "not an empty reply, which is the end"
    );
}

#[test]
fn a_listing_with_attributes_takes_references() {
    let peer = Peer::kernel();
    let ino = peer.file("file");
    let read = ReadIn {
        size: 4096,
        ..Default::default()
    };
    let (_, data) = peer
        .ask(Opcode::Readdirplus, ROOT_ID, &[read.as_bytes()], &[])
        .unwrap();
    let record = rec_align(size_of::<Direntplus>() + 1);
    let (dot, _) = Direntplus::read_from_prefix(&data).unwrap();
    assert_eq!((dot.entry_out.nodeid, dot.dirent.ino), (0, ROOT_ID));
    let (file, name) = Direntplus::read_from_prefix(&data[2 * record..]).unwrap();
    assert_eq!((file.entry_out.nodeid, &name[..4]), (ino, &b"file"[..]));
    peer.run(Opcode::Unlink, ROOT_ID, &[&cstr("file")]).unwrap();
    peer.forget(ino, 1);
    assert_eq!(peer.inodes(), 2, "the listing's reference");
    peer.forget(ino, 1);
    assert_eq!(peer.inodes(), 1);
}

#[test]
fn set_id_bits_go_when_the_kernel_says_so() {
    let peer = Peer::kernel();
    let after = |mode: u32, valid: u32| {
        let name = format!("{mode:o} {valid:o}");
        let ino = match mode & libc::S_IFMT {
            libc::S_IFDIR => {
                let mkdir = MkdirIn {
                    mode,
                    ..Default::default()
                };
                let made: EntryOut = peer
                    .get(Opcode::Mkdir, ROOT_ID, &[mkdir.as_bytes(), &cstr(&name)])
                    .unwrap();
                made.nodeid
            }
            _ => peer.mknod(ROOT_ID, &name, mode).unwrap().nodeid,
        };
        let changes = SetattrIn {
            valid,
            ..Default::default()
        };
        setattr(&peer, ino, changes).unwrap().mode & 0o7777
    };
    const KILL: u32 = fattr::KILL_SUIDGID;
    let (file, directory) = (libc::S_IFREG, libc::S_IFDIR);
    // Truncated, given away, and about to be written to by somebody who may not keep them.
    for valid in [fattr::SIZE | KILL, fattr::UID | KILL, 0, fattr::FH] {
        assert_eq!(after(file | 0o6755, valid), 0o755);
        assert_eq!(
            after(file | 0o6745, valid),
            0o2745,
            "without execution by the group it is none"
        );
    }
    assert_eq!(after(file | 0o6755, fattr::SIZE), 0o6755, "truncated by root");
    assert_eq!(after(file | 0o6755, fattr::MTIME_NOW | fattr::MTIME), 0o6755);
    assert_eq!(
        after(directory | 0o2775, 0),
        0o2775,
        "chown that changes neither, of a directory"
    );

    let ino = peer.mknod(ROOT_ID, "f", file | 0o4711).unwrap().nodeid;
    let write = |write_flags| WriteIn {
        write_flags,
        ..Default::default()
    };
    peer.write(ino, write(0), b"x").unwrap();
    assert_eq!(getattr(&peer, ino).unwrap().mode & 0o7777, 0o4711);
    peer.write(ino, write(write::KILL_SUIDGID), b"x").unwrap();
    assert_eq!(getattr(&peer, ino).unwrap().mode & 0o7777, 0o711);
}

#[test]
fn times_are_set_as_asked() {
    let peer = Peer::kernel();
    let ino = peer.file("f");
    let then = SetattrIn {
        valid: fattr::ATIME | fattr::MTIME,
        atime: 1,
        atimensec: 2,
        mtime: -3i64 as u64,
        mtimensec: 999_999_999,
        ..Default::default()
    };
    let attr = setattr(&peer, ino, then).unwrap();
    assert_eq!(
        (attr.atime, attr.atimensec, attr.mtime as i64, attr.mtimensec),
        (1, 2, -3, 999_999_999)
    );
    assert!(attr.ctime > 1_000_000_000, "ctime is the server's");
    let wrong = SetattrIn {
        mtimensec: 1_000_000_000,
        ..then
    };
    assert_eq!(setattr(&peer, ino, wrong), Err(Errno(libc::EINVAL)));
    // ftruncate(2) comes without a time.
    let truncated = SetattrIn {
        valid: fattr::SIZE,
        ..Default::default()
    };
    assert!(setattr(&peer, ino, truncated).unwrap().mtime < 1 << 40);
    let too_large = SetattrIn {
        size: u64::MAX,
        ..truncated
    };
    assert_eq!(setattr(&peer, ino, too_large), Err(Errno(libc::EFBIG)));
}

#[test]
fn holes_are_found_and_space_is_reserved() {
    let peer = Peer::kernel();
    let ino = peer.file("f");
    let fallocate = |mode: i32, length| {
        let fallocate = FallocateIn {
            length,
            mode: mode as u32,
            ..Default::default()
        };
        peer.run(Opcode::Fallocate, ino, &[fallocate.as_bytes()])
    };
    assert_eq!(fallocate(0, 1000), Ok(()));
    assert_eq!(fallocate(libc::FALLOC_FL_KEEP_SIZE, 5000), Ok(()));
    assert_eq!(getattr(&peer, ino).unwrap().size, 1000);
    assert_eq!(fallocate(0, 0), Err(Errno(libc::EINVAL)));
    assert_eq!(fallocate(0, u64::MAX), Err(Errno(libc::EFBIG)));
    assert_eq!(
        fallocate(libc::FALLOC_FL_PUNCH_HOLE, 1),
        Err(Errno(libc::EOPNOTSUPP))
    );
    assert_eq!(
        fallocate(libc::FALLOC_FL_COLLAPSE_RANGE, 1),
        Err(Errno(libc::EOPNOTSUPP))
    );
    let seek = |whence: i32, offset| {
        let lseek = LseekIn {
            offset,
            whence: whence as u32,
            ..Default::default()
        };
        peer.get(Opcode::Lseek, ino, &[lseek.as_bytes()])
            .map(|out: LseekOut| out.offset)
    };
    assert_eq!(seek(libc::SEEK_HOLE, 10), Ok(10));
    assert_eq!(seek(libc::SEEK_HOLE, 1000), Err(Errno(libc::ENXIO)));
    assert_eq!(seek(libc::SEEK_DATA, 0), Err(Errno(libc::ENXIO)));
    assert_eq!(seek(libc::SEEK_SET, 0), Err(Errno(libc::EINVAL)));
}

#[test]
fn an_inode_is_found_by_its_number() {
    let peer = Peer::kernel();
    let mkdir = MkdirIn {
        mode: 0o755,
        ..Default::default()
    };
    let dir: EntryOut = peer
        .get(Opcode::Mkdir, ROOT_ID, &[mkdir.as_bytes(), &cstr("d")])
        .unwrap();
    assert_eq!(peer.lookup(dir.nodeid, ".").unwrap(), dir);
    assert_eq!(peer.lookup(dir.nodeid, "..").unwrap().nodeid, ROOT_ID);
    assert_eq!(peer.lookup(ROOT_ID, "..").unwrap().nodeid, ROOT_ID);
    assert_eq!(peer.lookup(77, "."), Err(Errno(libc::ESTALE)));
}

#[test]
fn what_is_not_here_is_said_once_and_is_no_error() {
    let peer = Peer::kernel();
    let mount = peer.session.mount().clone();
    for opcode in [
        Opcode::Flush,
        Opcode::Interrupt,
        Opcode::Access,
        Opcode::Getxattr,
        Opcode::Tmpfile,
    ] {
        let result = peer.run(opcode, ROOT_ID, &[FlushIn::default().as_bytes()]);
        assert_eq!(result, Err(Errno(libc::ENOSYS)), "{}", opcode.name());
    }
    assert!(mount.counters().snapshot().iter().all(|count| count.errors == 0));
    peer.read(99, 0, 0, 1).unwrap_err();
    let read = mount
        .counters()
        .snapshot()
        .into_iter()
        .find(|count| count.operation == "READ");
    assert_eq!(read.map(|count| (count.requests, count.errors)), Some((1, 1)));
}
