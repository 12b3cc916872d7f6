// SPDX-License-Identifier: MIT
//! A file system as a whole, and inodes through their lives.

use zus::fs::{Error, FallocateMode, FileSystem, Kind, ROOT, RenameMode, SetAttr, SetTime, Timestamp};

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
