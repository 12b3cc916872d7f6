// SPDX-License-Identifier: MIT
//! Each operation, once and at its edges.

use zus::fs::{
    Error, FallocateMode, FileSystem, Kind, Name, NewInode, ROOT, RenameMode, Seek, SetAttr, SetTime,
    Timestamp,
};

use crate::support::{
    create, find, list, make, mount, name, new_inode, read, refused, sound, unmount, write,
};

const MIB: u64 = 1 << 20;

#[test]
fn a_new_file_system_is_empty_and_sound() {
    for len in [MIB, 16 * MIB, 300 * MIB] {
        let store = make(len);
        sound(&store);
        let fs = mount(&store);
        let root = fs.getattr(ROOT).unwrap();
        assert_eq!((root.kind, root.nlink, root.perm), (Kind::Directory, 2, 0o755));
        assert!(list(&fs, ROOT).is_empty());
        let space = fs.statfs().unwrap();
        assert!(space.blocks_free <= space.blocks && space.blocks * 4096 <= len);
        assert!(
            space.blocks_free * 4096 > len * 85 / 100,
            "{} free",
            space.blocks_free
        );
        let report = unmount(fs, &store);
        assert!(report.clean && report.inodes == 1);
    }
}

#[test]
fn everything_survives_an_unmount() {
    let store = make(64 * MIB);
    let fs = mount(&store);
    create(&fs, "dir", Kind::Directory).unwrap();
    for (path, kind) in [
        ("file", Kind::File),
        ("dir/fifo", Kind::Fifo),
        ("dir/socket", Kind::Socket),
        ("dir/char", Kind::CharDevice),
        ("dir/block", Kind::BlockDevice),
        ("dir/link", Kind::Symlink),
    ] {
        create(&fs, path, kind).unwrap();
    }
    let file = find(&fs, "file").unwrap();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    assert_eq!(write(&fs, file, 12_345, &bytes), Ok(bytes.len()));
    let before = (crate::support::tree(&fs), fs.getattr(file).unwrap());
    unmount(fs, &store);
    let fs = mount(&store);
    assert_eq!(crate::support::tree(&fs), before.0);
    let attr = fs.getattr(file).unwrap();
    assert_eq!(
        (attr.size, attr.blocks, attr.mtime, attr.btime),
        (3_012_345, before.1.blocks, before.1.mtime, before.1.btime)
    );
    assert_eq!(read(&fs, file, 12_345, bytes.len()).unwrap(), bytes);
    assert_eq!(read(&fs, file, 0, 12_345).unwrap(), vec![0; 12_345]);
    assert_eq!(
        fs.readlink(find(&fs, "dir/link").unwrap()).unwrap(),
        b"over/there"
    );
    assert_eq!(fs.getattr(find(&fs, "dir/char").unwrap()).unwrap().rdev, 0x103);
    unmount(fs, &store);
}

#[test]
fn long_targets_and_names_fit() {
    let store = make(MIB);
    let fs = mount(&store);
    let long = "n".repeat(255);
    for len in [1, 95, 96, 97, 4095] {
        let target = vec![b't'; len];
        let new = NewInode {
            target: &target,
            ..new_inode(Kind::Symlink)
        };
        let link = fs.create(ROOT, name(&long), &new).unwrap().attr;
        assert_eq!(
            (link.size, link.blocks),
            (len as u64, if len > 96 { 8 } else { 0 })
        );
        assert_eq!(fs.readlink(link.ino).unwrap(), target);
        fs.unlink(ROOT, name(&long)).unwrap();
        fs.forget(link.ino, 1);
    }
    for target in [&b""[..], &[b't'; 4096]] {
        let new = NewInode {
            target,
            ..new_inode(Kind::Symlink)
        };
        refused(fs.create(ROOT, name("link"), &new), Error::Invalid);
    }
    assert_eq!(Name::new(&[b'n'; 256]), Err(Error::NameTooLong));
    unmount(fs, &store);
}

#[test]
fn wrong_kinds_and_missing_names_are_refused() {
    let store = make(MIB);
    let fs = mount(&store);
    create(&fs, "dir", Kind::Directory).unwrap();
    create(&fs, "dir/in", Kind::Directory).unwrap();
    create(&fs, "file", Kind::File).unwrap();
    let (dir, file) = (find(&fs, "dir").unwrap(), find(&fs, "file").unwrap());
    refused(fs.lookup(ROOT, name("none")), Error::NotFound);
    refused(fs.lookup(file, name("none")), Error::NotDirectory);
    refused(
        fs.create(ROOT, name("dir"), &new_inode(Kind::File)),
        Error::Exists,
    );
    refused(fs.unlink(ROOT, name("dir")), Error::IsDirectory);
    refused(fs.rmdir(ROOT, name("file")), Error::NotDirectory);
    refused(fs.rmdir(ROOT, name("dir")), Error::NotEmpty);
    refused(fs.link(dir, ROOT, name("other")), Error::NotOwner);
    refused(fs.link(file, ROOT, name("dir")), Error::Exists);
    refused(fs.readlink(file), Error::Invalid);
    refused(read(&fs, dir, 0, 1), Error::IsDirectory);
    refused(write(&fs, dir, 0, b"x"), Error::IsDirectory);
    refused(fs.readdir(file, 0, &mut |_| true), Error::NotDirectory);
    for nobody in [0, 99, 40_000, u64::MAX] {
        refused(fs.getattr(nobody), Error::Stale);
    }
    let truncate = SetAttr {
        size: Some(0),
        ..SetAttr::default()
    };
    refused(fs.setattr(dir, &truncate), Error::IsDirectory);
    unmount(fs, &store);
}

#[test]
fn a_file_without_a_name_lives_until_it_is_forgotten() {
    let store = make(4 * MIB);
    let fs = mount(&store);
    create(&fs, "warm", Kind::File).unwrap();
    let free = fs.statfs().unwrap().blocks_free;
    let ino = fs
        .create(ROOT, name("file"), &new_inode(Kind::File))
        .unwrap()
        .attr
        .ino;
    write(&fs, ino, 0, &[7; 100_000]).unwrap();
    assert_eq!(fs.by_number(ino).unwrap().attr.ino, ino);
    fs.unlink(ROOT, name("file")).unwrap();
    refused(fs.lookup(ROOT, name("file")), Error::NotFound);
    assert_eq!(fs.getattr(ino).unwrap().nlink, 0);
    refused(fs.link(ino, ROOT, name("again")), Error::NotFound);
    write(&fs, ino, 100_000, &[8; 100_000]).unwrap();
    fs.forget(ino, 1);
    assert_eq!(read(&fs, ino, 99_999, 2).unwrap(), [7, 8]);
    fs.forget(ino, 1);
    refused(fs.getattr(ino), Error::Stale);
    refused(fs.by_number(ino), Error::Stale);
    assert_eq!(fs.statfs().unwrap().blocks_free, free);
    fs.forget(ino, 5);
    fs.forget(4711, 1);
    let again = fs
        .create(ROOT, name("file"), &new_inode(Kind::File))
        .unwrap()
        .attr;
    assert!(again.ino != ino || again.generation > 1);
    unmount(fs, &store);
}

#[test]
fn what_nobody_forgot_is_freed_by_the_next_mount() {
    let store = make(8 * MIB);
    let fs = mount(&store);
    let free = fs.statfs().unwrap().blocks_free;
    let ino = fs
        .create(ROOT, name("file"), &new_inode(Kind::File))
        .unwrap()
        .attr
        .ino;
    write(&fs, ino, 0, &vec![7; 4_000_000]).unwrap();
    fs.unlink(ROOT, name("file")).unwrap();
    std::mem::forget(fs); // its server died
    assert_eq!(sound(&store).orphans, 1);
    let fs = mount(&store);
    assert!(
        fs.statfs().unwrap().blocks_free >= free - 2,
        "the directory and the table may have grown"
    );
    assert_eq!(unmount(fs, &store).orphans, 0);
}

#[test]
fn links_are_counted() {
    let store = make(16 * MIB);
    let fs = mount(&store);
    create(&fs, "dir", Kind::Directory).unwrap();
    let file = create(&fs, "file", Kind::File).unwrap();
    let dir = find(&fs, "dir").unwrap();
    assert_eq!(fs.link(file, dir, name("second")).unwrap().attr.nlink, 2);
    fs.forget(file, 1);
    fs.unlink(ROOT, name("file")).unwrap();
    assert_eq!(fs.getattr(file).unwrap().nlink, 1);
    create(&fs, "dir/sub", Kind::Directory).unwrap();
    assert_eq!(fs.getattr(dir).unwrap().nlink, 3);
    fs.rmdir(dir, name("sub")).unwrap();
    assert_eq!(fs.getattr(dir).unwrap().nlink, 2);
    for i in 1..65_000 {
        fs.link(file, dir, name(&format!("link{i}"))).unwrap();
    }
    refused(fs.link(file, dir, name("one too many")), Error::TooManyLinks);
    fs.forget(file, 64_999);
    unmount(fs, &store);
}

#[test]
fn sparse_files_reach_16_tib() {
    const TIB: u64 = 1 << 40;
    let store = make(4 * MIB);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    let free = fs.statfs().unwrap().blocks_free;
    write(&fs, file, 16 * TIB - 4, b"last").unwrap();
    refused(write(&fs, file, 16 * TIB - 3, b"last"), Error::TooLarge);
    refused(write(&fs, file, u64::MAX, b"last"), Error::TooLarge);
    write(&fs, file, 5 * TIB, b"middle").unwrap();
    write(&fs, file, 0, b"first").unwrap();
    assert_eq!(read(&fs, file, 5 * TIB - 2, 9).unwrap(), b"\0\0middle\0");
    assert_eq!(read(&fs, file, 16 * TIB - 4, 9).unwrap(), b"last");
    let attr = fs.getattr(file).unwrap();
    assert_eq!(attr.size, 16 * TIB);
    // Three blocks and their paths through a tree of height 4.
    assert_eq!(
        (attr.blocks / 8, free - fs.statfs().unwrap().blocks_free),
        (13, 13)
    );
    let seek = |offset, what| fs.seek(file, offset, what);
    assert_eq!(seek(0, Seek::Data), Ok(0));
    assert_eq!(seek(0, Seek::Hole), Ok(4096));
    assert_eq!(seek(4096, Seek::Data), Ok(5 * TIB));
    assert_eq!(seek(5 * TIB + 1, Seek::Data), Ok(5 * TIB + 1));
    assert_eq!(seek(5 * TIB + 1, Seek::Hole), Ok(5 * TIB + 4096));
    assert_eq!(seek(5 * TIB + 4096, Seek::Data), Ok(16 * TIB - 4096));
    assert_eq!(seek(16 * TIB - 1, Seek::Hole), Ok(16 * TIB));
    refused(seek(16 * TIB, Seek::Hole), Error::NoData);
    let truncate = |size| {
        let changes = SetAttr {
            size: Some(size),
            ..SetAttr::default()
        };
        fs.setattr(file, &changes)
    };
    refused(truncate(16 * TIB + 1), Error::TooLarge);
    assert_eq!(truncate(6 * TIB).unwrap().size, 6 * TIB);
    refused(seek(5 * TIB + 4096, Seek::Data), Error::NoData);
    assert_eq!(truncate(0).unwrap().blocks, 0);
    assert_eq!(fs.statfs().unwrap().blocks_free, free);
    unmount(fs, &store);
}

#[test]
fn what_was_cut_off_never_comes_back() {
    let store = make(4 * MIB);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    let resize = |size| {
        let changes = SetAttr {
            size: Some(size),
            ..SetAttr::default()
        };
        fs.setattr(file, &changes).unwrap();
    };
    write(&fs, file, 0, &[b'x'; 10_000]).unwrap();
    resize(5000);
    resize(20_000);
    let mut wanted = vec![b'x'; 5000];
    wanted.resize(20_000, 0);
    assert_eq!(read(&fs, file, 0, 30_000).unwrap(), wanted);
    resize(100);
    write(&fs, file, 200, b"gap").unwrap();
    let mut wanted = vec![b'x'; 100];
    wanted.resize(200, 0);
    wanted.extend_from_slice(b"gap");
    assert_eq!(read(&fs, file, 0, 300).unwrap(), wanted);
    unmount(fs, &store);
}

#[test]
fn space_is_reserved_punched_and_zeroed() {
    let store = make(8 * MIB);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    let free = || fs.statfs().unwrap().blocks_free;
    let start = free();
    let allocate = |offset, len, mode| fs.fallocate(file, offset, len, mode);
    allocate(0, MIB, FallocateMode::Reserve { keep_size: true }).unwrap();
    assert_eq!((fs.getattr(file).unwrap().size, start - free()), (0, 257));
    allocate(0, MIB, FallocateMode::Reserve { keep_size: false }).unwrap();
    assert_eq!((fs.getattr(file).unwrap().size, start - free()), (MIB, 257));
    assert_eq!(read(&fs, file, 0, MIB as usize).unwrap(), vec![0; MIB as usize]);
    assert_eq!(fs.seek(file, 0, Seek::Data), Err(Error::NoData));
    write(&fs, file, 5000, &[b'x'; 100_000]).unwrap();
    assert_eq!(start - free(), 257);
    assert_eq!(fs.seek(file, 0, Seek::Data), Ok(4096));
    allocate(10_000, 50_000, FallocateMode::PunchHole).unwrap();
    assert_eq!(start - free(), 257 - 11);
    allocate(70_000, 10_000, FallocateMode::Zero { keep_size: false }).unwrap();
    let mut wanted = vec![0; MIB as usize];
    wanted[5000..105_000].fill(b'x');
    wanted[10_000..60_000].fill(0);
    wanted[70_000..80_000].fill(0);
    assert_eq!(read(&fs, file, 0, MIB as usize).unwrap(), wanted);
    allocate(2 * MIB, 10, FallocateMode::Zero { keep_size: false }).unwrap();
    assert_eq!(fs.getattr(file).unwrap().size, 2 * MIB + 10);
    refused(
        allocate(0, 100 * MIB, FallocateMode::Reserve { keep_size: true }),
        Error::NoSpace,
    );
    refused(allocate(0, 0, FallocateMode::PunchHole), Error::Invalid);
    refused(allocate(u64::MAX, 5, FallocateMode::PunchHole), Error::Invalid);
    allocate(0, 3 * MIB, FallocateMode::PunchHole).unwrap();
    assert_eq!(free(), start);
    unmount(fs, &store);
}

#[test]
fn attributes_are_what_was_set() {
    let store = make(MIB);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    let (old, new) = (
        Timestamp {
            sec: -1_000_000_000,
            nsec: 999_999_999,
        },
        Timestamp {
            sec: 1 << 36,
            nsec: 1,
        },
    );
    let changes = SetAttr {
        perm: Some(0o6711),
        uid: Some(1),
        gid: Some(u32::MAX - 1),
        atime: Some(SetTime::At(old)),
        mtime: Some(SetTime::At(new)),
        ..SetAttr::default()
    };
    let attr = fs.setattr(file, &changes).unwrap();
    assert_eq!((attr.perm, attr.uid, attr.gid), (0o6711, 1, u32::MAX - 1));
    assert_eq!((attr.atime, attr.mtime), (old, new));
    unmount(fs, &store);
    let fs = mount(&store);
    assert_eq!(fs.getattr(file), Ok(attr));
    let wrong = SetAttr {
        mtime: Some(SetTime::At(Timestamp {
            sec: 0,
            nsec: 1_000_000_000,
        })),
        ..SetAttr::default()
    };
    refused(fs.setattr(file, &wrong), Error::Invalid);
    // An overwrite changes the times again, in place, and that lasts.
    write(&fs, file, 0, b"first").unwrap();
    fs.setattr(file, &changes).unwrap();
    write(&fs, file, 0, b"again").unwrap();
    let attr = fs.getattr(file).unwrap();
    assert!(attr.mtime != new && attr.ctime == attr.mtime);
    std::mem::forget(fs);
    assert_eq!(mount(&store).getattr(file), Ok(attr));
}

#[test]
fn the_setgid_bit_is_inherited() {
    let store = make(MIB);
    let fs = mount(&store);
    let dir = create(&fs, "dir", Kind::Directory).unwrap();
    let changes = SetAttr {
        perm: Some(0o2775),
        gid: Some(77),
        ..SetAttr::default()
    };
    fs.setattr(dir, &changes).unwrap();
    let file = fs.getattr(create(&fs, "dir/file", Kind::File).unwrap()).unwrap();
    let sub = fs
        .getattr(create(&fs, "dir/sub", Kind::Directory).unwrap())
        .unwrap();
    assert_eq!((file.gid, file.perm), (77, 0o644));
    assert_eq!((sub.gid, sub.perm), (77, 0o2644));
    unmount(fs, &store);
}

#[test]
fn renames_do_what_they_say() {
    let store = make(4 * MIB);
    let fs = mount(&store);
    let rename = |from: &str, to: &str, mode| {
        let (from, to) = (crate::support::split(from), crate::support::split(to));
        fs.rename(
            find(&fs, from.0).unwrap(),
            name(from.1),
            find(&fs, to.0).unwrap(),
            name(to.1),
            mode,
        )
    };
    for (path, kind) in [
        ("a", Kind::Directory),
        ("b", Kind::Directory),
        ("a/x", Kind::File),
        ("b/y", Kind::File),
        ("a/sub", Kind::Directory),
        ("a/sub/deep", Kind::Directory),
    ] {
        create(&fs, path, kind).unwrap();
    }
    let (x, y) = (find(&fs, "a/x").unwrap(), find(&fs, "b/y").unwrap());
    use RenameMode::{Exchange, NoReplace, Replace};
    refused(rename("a/none", "b/new", Replace), Error::NotFound);
    refused(rename("a/x", "b/y", NoReplace), Error::Exists);
    refused(rename("a/x", "b/new", Exchange), Error::NotFound);
    refused(rename("a", "a/sub/a", Replace), Error::Invalid);
    refused(rename("a", "a/a", Replace), Error::Invalid);
    refused(rename("a", "a/sub", Exchange), Error::Invalid);
    refused(rename("a/sub", "a", Exchange), Error::Invalid);
    refused(rename("a/sub/deep", "a", Replace), Error::NotEmpty);
    refused(
        rename("a", "b", Replace).and(rename("b", "a/x", Replace)),
        Error::NotEmpty,
    );
    refused(rename("b", "a/x", Replace), Error::NotDirectory);
    refused(rename("a/x", "b", Replace), Error::IsDirectory);

    rename("a/x", "b/y", Exchange).unwrap();
    assert_eq!((find(&fs, "a/x").unwrap(), find(&fs, "b/y").unwrap()), (y, x));
    rename("a/x", "b/y", Replace).unwrap();
    assert_eq!(find(&fs, "b/y").unwrap(), y);
    refused(fs.getattr(x), Error::Stale);
    rename("b/y", "b/y", Replace).unwrap();
    rename("b/y", "b/a longer name", NoReplace).unwrap();
    assert_eq!(list(&fs, find(&fs, "b").unwrap()), ["a longer name"]);

    // Directories, and with them "..".
    rename("a/sub", "b/moved", Replace).unwrap();
    let links = |path: &str| fs.getattr(find(&fs, path).unwrap()).unwrap().nlink;
    assert_eq!((links("a"), links("b"), links("b/moved")), (2, 3, 3));
    rename("b/a longer name", "a", Exchange).unwrap();
    assert_eq!((links(""), links("b"), links("b/a longer name")), (3, 4, 2));
    rename("b/moved/deep", "b/a longer name", Replace).unwrap();
    assert_eq!((links("b"), links("b/moved")), (4, 2));
    refused(rename("b/moved", "b/a longer name/in", Exchange), Error::NotFound);
    unmount(fs, &store);
}

#[test]
fn a_directory_without_a_name_takes_no_more() {
    let store = make(MIB);
    let fs = mount(&store);
    let dir = fs
        .create(ROOT, name("dir"), &new_inode(Kind::Directory))
        .unwrap()
        .attr
        .ino;
    let file = create(&fs, "file", Kind::File).unwrap();
    fs.rmdir(ROOT, name("dir")).unwrap();
    refused(
        fs.create(dir, name("in"), &new_inode(Kind::File)),
        Error::NotFound,
    );
    refused(fs.link(file, dir, name("in")), Error::NotFound);
    refused(
        fs.rename(ROOT, name("file"), dir, name("in"), RenameMode::Replace),
        Error::NotFound,
    );
    refused(fs.lookup(dir, name("in")), Error::NotFound);
    assert!(list(&fs, dir).is_empty());
    fs.forget(dir, 1);
    refused(fs.getattr(dir), Error::Stale);
    unmount(fs, &store);
}

#[test]
fn a_read_only_mount_changes_nothing() {
    let store = make(MIB);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    write(&fs, file, 0, b"text").unwrap();
    unmount(fs, &store);
    let fs = zus::fs::pmemfs::Pmemfs::mount(Box::new(store.clone()), "test".as_ref(), true).unwrap();
    assert_eq!(read(&fs, file, 0, 10).unwrap(), b"text");
    refused(write(&fs, file, 0, b"more"), Error::ReadOnly);
    refused(create(&fs, "other", Kind::File), Error::ReadOnly);
    refused(fs.unlink(ROOT, name("file")), Error::ReadOnly);
    refused(fs.setattr(file, &SetAttr::default()), Error::ReadOnly);
    refused(
        fs.rename(ROOT, name("file"), ROOT, name("new"), RenameMode::Replace),
        Error::ReadOnly,
    );
    refused(
        fs.fallocate(file, 0, 1, FallocateMode::PunchHole),
        Error::ReadOnly,
    );
    assert!(unmount(fs, &store).clean);
}
