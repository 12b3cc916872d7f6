// SPDX-License-Identifier: MIT
//! A full medium, and a full host.

use std::path::Path;
use std::process::Command;

use zus::fs::pmemfs::{MkfsOptions, Pmemfs, check, mkfs};
use zus::fs::{Error, FileSystem, Kind, ROOT, SetAttr};
use zus::store::{Access, Image};

use crate::support::{create, find, list, make, mount, name, read, refused, sound, tree, unmount, write};

#[test]
fn a_full_medium_refuses_and_loses_nothing() {
    let store = make(2 << 20);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    let empty = fs.statfs().unwrap().blocks_free;
    // As much as there is space for is written, then nothing.
    let big = vec![7; 4 << 20];
    let len = write(&fs, file, 0, &big).unwrap();
    assert!(len > 1 << 20 && len < big.len(), "{len} bytes written");
    assert_eq!(fs.getattr(file).unwrap().size, len as u64);
    assert_eq!(read(&fs, file, 0, 4 << 20).unwrap(), big[..len]);
    while write(&fs, file, fs.getattr(file).unwrap().size, &[7; 4096]).is_ok() {}
    let before = tree(&fs);
    assert_eq!(fs.statfs().unwrap().blocks_free, 0);
    refused(write(&fs, file, 8 << 20, b"x"), Error::NoSpace);
    refused(
        create(&fs, &"n".repeat(255), Kind::File).and_then(|_| {
            // The directory may have had room for one more name, and the table for one more inode.
            (0..64).try_for_each(|i| create(&fs, &format!("{}{i}", "n".repeat(250)), Kind::File).map(drop))
        }),
        Error::NoSpace,
    );
    assert_eq!(tree(&fs)["/file"], before["/file"]);
    // Overwriting, cutting and removing need no space.
    assert_eq!(write(&fs, file, 100, b"over"), Ok(4));
    let changes = SetAttr {
        size: Some(5000),
        ..SetAttr::default()
    };
    fs.setattr(file, &changes).unwrap();
    for entry in list(&fs, ROOT) {
        fs.unlink(ROOT, name(&entry)).unwrap();
    }
    let free = fs.statfs().unwrap().blocks_free;
    assert!(free + 10 > empty, "{free} of {empty} blocks are free again");
    create(&fs, "again", Kind::File).unwrap();
    unmount(fs, &store);
}

#[test]
fn a_full_medium_is_the_same_after_a_crash() {
    let store = make(1 << 20);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    while write(&fs, file, fs.getattr(file).unwrap().size, &[7; 5000]).is_ok() {}
    let before = tree(&fs);
    std::mem::forget(fs);
    sound(&store);
    let fs = mount(&store);
    assert_eq!(tree(&fs), before);
    assert_eq!(fs.statfs().unwrap().blocks_free, 0);
    fs.unlink(ROOT, name("file")).unwrap();
    unmount(fs, &store);
}

/// A tmpfs of a few MiB; `None`, and said so, where this process may not mount.
struct SmallHost(tempfile::TempDir);

impl SmallHost {
    fn new(mib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "none"])
            .arg(dir.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("SKIPPED: a full host, since this process may not mount a tmpfs");
        }
        mounted.then_some(Self(dir))
    }
}

impl Drop for SmallHost {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn open(path: &Path) -> Pmemfs {
    Pmemfs::open(path, false).unwrap()
}

#[test]
fn a_full_host_refuses_and_loses_nothing() {
    let Some(host) = SmallHost::new(16) else {
        return;
    };
    // What one CPU freed serves another, which likes a group of its own.
    let cpus = relay::cpu::allowed();
    relay::cpu::pin(cpus[0]).unwrap();
    let image = host.0.path().join("image");
    mkfs(&image, 1 << 30, &MkfsOptions::default()).unwrap();
    let fs = open(&image);
    let kept = create(&fs, "kept", Kind::File).unwrap();
    write(&fs, kept, 0, &[1; 1 << 20]).unwrap();
    let file = create(&fs, "file", Kind::File).unwrap();
    let mut len = 0;
    let error = loop {
        match write(&fs, file, len, &[2; 100_000]) {
            Ok(written) => len += written as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::NoSpace);
    assert!(len > 5 << 20, "{len} bytes fit on the host");
    assert_eq!(fs.getattr(file).unwrap().size, len);
    write(&fs, file, 0, &[3; 1 << 20]).unwrap();
    // What is freed can be used again although the host has no more.
    fs.unlink(ROOT, name("file")).unwrap();
    relay::cpu::pin(*cpus.last().unwrap()).unwrap();
    let again = create(&fs, "again", Kind::File).unwrap();
    let written = write(&fs, again, 0, &[4; 4 << 20]).unwrap();
    assert_eq!(written, 4 << 20);
    fs.unmount().unwrap();
    drop(fs);

    // So it is when the image is mounted anew.
    std::fs::write(host.0.path().join("filler"), vec![5; 16 << 20]).unwrap_err();
    let fs = open(&image);
    let again = find(&fs, "again").unwrap();
    assert_eq!(read(&fs, again, 0, 5 << 20).unwrap(), vec![4; 4 << 20]);
    fs.unlink(ROOT, name("again")).unwrap();
    relay::cpu::pin(cpus[0]).unwrap();
    let third = create(&fs, "third", Kind::File).unwrap();
    write(&fs, third, 0, &[6; 4 << 20]).unwrap();
    assert_eq!(
        read(&fs, find(&fs, "kept").unwrap(), 0, 2 << 20).unwrap(),
        vec![1; 1 << 20]
    );
    fs.unmount().unwrap();
    drop(fs);
    let report = check(&Image::open(&image, Access::Snapshot).unwrap());
    assert!(report.is_sound(), "{:?}", report.problems);
}

#[test]
fn an_image_takes_what_is_in_it() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    mkfs(&image, 1 << 40, &MkfsOptions::default()).unwrap();
    let taken = || std::fs::metadata(&image).unwrap().blocks() * 512;
    assert!(
        taken() <= 16 << 20,
        "an empty file system takes {} bytes",
        taken()
    );
    let fs = open(&image);
    let statfs = fs.statfs().unwrap();
    assert!(statfs.blocks_free * 4096 > (1 << 40) / 1000 * 999);
    // Far behind 4 GiB, too.
    let file = create(&fs, "file", Kind::File).unwrap();
    write(&fs, file, 0, &[1; 100_000]).unwrap();
    fs.sync().unwrap();
    assert!(
        taken() <= 32 << 20,
        "with a small file it takes {} bytes",
        taken()
    );
    fs.unmount().unwrap();
}
