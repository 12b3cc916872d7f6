// SPDX-License-Identifier: MIT
//! Images as they come: foreign, cut, of another version, damaged, in use.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use zus::fs::pmemfs::{MkfsOptions, Pmemfs, check, mkfs};
use zus::fs::{Error, FileSystem, Kind};
use zus::store::{Access, Image};

use crate::recorder::{bytes, memory};
use crate::support::{Random, create, find, list, make, mount, read, unmount, write};

fn image(dir: &tempfile::TempDir) -> PathBuf {
    let path = dir.path().join("some image");
    mkfs(&path, 16 << 20, &MkfsOptions::default()).unwrap();
    path
}

fn change(path: &Path, at: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

/// Mounts and expects a line that names the image and says `what`; the image is not touched.
fn refused(path: &Path, what: &str) {
    let before = std::fs::read(path).ok();
    for read_only in [true, false] {
        let message = Pmemfs::open(path, read_only).unwrap_err().to_string();
        assert!(message.contains("some image: "), "{message}");
        assert!(message.contains(what), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    assert_eq!(std::fs::read(path).ok(), before);
}

#[test]
fn each_kind_of_bad_image_has_its_message() {
    let dir = tempfile::tempdir().unwrap();
    refused(&dir.path().join("some image"), "No such file");

    let path = image(&dir);
    change(&path, 0, b"something");
    refused(&path, "not a pmemfs image");
    File::create(&path).unwrap();
    refused(&path, "not a pmemfs image");
    std::fs::write(&path, "short").unwrap();
    refused(&path, "not a pmemfs image");

    std::fs::remove_file(&path).unwrap();
    let path = image(&dir);
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len((16 << 20) - 1)
        .unwrap();
    refused(&path, "truncated: 16777215 of 16777216 bytes are left");

    std::fs::remove_file(&path).unwrap();
    let path = image(&dir);
    change(&path, 8, &[77]);
    refused(&path, "format version 77, supported is 1");

    std::fs::remove_file(&path).unwrap();
    let path = image(&dir);
    change(&path, 100, &[1]);
    refused(
        &path,
        "damaged superblock (its copy at the end of the image is intact)",
    );
    change(&path, (16 << 20) - 4096, &[1; 256]);
    refused(&path, "damaged superblock");
}

#[test]
fn one_mounts_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(&dir);
    let fs = Pmemfs::open(&path, false).unwrap();
    refused(&path, "already mounted");
    let message = mkfs(&path, 16 << 20, &MkfsOptions::default())
        .unwrap_err()
        .to_string();
    assert!(message.contains("some image: already mounted"), "{message}");
    drop(fs);
    let readers = [
        Pmemfs::open(&path, true).unwrap(),
        Pmemfs::open(&path, true).unwrap(),
    ];
    let message = Pmemfs::open(&path, false).unwrap_err().to_string();
    assert!(message.contains("already mounted"), "{message}");
    drop(readers);
    Pmemfs::open(&path, false).unwrap();
}

#[test]
fn mkfs_refuses_what_it_should() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(&dir);
    let fail = |len, force| {
        let options = MkfsOptions {
            force,
            ..MkfsOptions::default()
        };
        mkfs(&path, len, &options).unwrap_err().to_string()
    };
    assert!(fail(16 << 20, false).contains("already holds 16777216 bytes, force needed"));
    assert!(fail(1000, true).contains("1000 bytes are too few"));
    assert!(fail(1 << 45, true).contains("too many"));
    assert!(Pmemfs::open(&path, false).is_ok(), "nothing has changed");
    let nowhere = dir.path().join("no/such/image");
    assert!(mkfs(&nowhere, 16 << 20, &MkfsOptions::default()).is_err());
    let options = MkfsOptions {
        force: true,
        owner: (5, 6),
    };
    mkfs(&path, 1 << 20, &options).unwrap();
    let root = Pmemfs::open(&path, false)
        .unwrap()
        .getattr(zus::fs::ROOT)
        .unwrap();
    assert_eq!((root.uid, root.gid), (5, 6));
}

#[test]
fn what_was_synced_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(&dir);
    let fs = Pmemfs::open(&path, false).unwrap();
    let file = create(&fs, "file", Kind::File).unwrap();
    write(&fs, file, 0, b"written").unwrap();
    fs.fsync(file, false).unwrap();
    // What another opens now is what a death would leave.
    let copy = memory(&std::fs::read(&path).unwrap());
    let other = mount(&copy);
    assert_eq!(
        read(&other, find(&other, "file").unwrap(), 0, 10).unwrap(),
        b"written"
    );
    drop(other);
    fs.unmount().unwrap();
    assert_eq!(
        create(&fs, "late", Kind::File),
        Err(Error::Io),
        "changed after it was unmounted"
    );
    // Others can have it from then on.
    let report = check(&Image::open(&path, Access::Snapshot).unwrap());
    assert!(report.is_sound() && report.clean, "{:?}", report.problems);
    assert_eq!(
        write(&fs, file, 0, b"x"),
        Err(Error::Io),
        "written after it was unmounted"
    );
    Pmemfs::open(&path, false).unwrap();
}

/// Whatever is on the medium, nothing crashes or hangs, and a check finds it or it does not matter.
#[test]
fn nonsense_on_the_medium_is_an_error() {
    let store = make(1 << 20);
    let fs = mount(&store);
    create(&fs, "dir", Kind::Directory).unwrap();
    for i in 0..20 {
        let file = create(&fs, &format!("dir/file{i}"), Kind::File).unwrap();
        write(&fs, file, i * 5000, &[i as u8; 5000]).unwrap();
    }
    create(&fs, "link", Kind::Symlink).unwrap();
    unmount(fs, &store);
    let whole = bytes(&store);
    let mut random = Random(1);
    for _ in 0..300 {
        let mut damaged = whole.clone();
        for _ in 0..=random.below(3) {
            // Anywhere in the first half, where all that was made is.
            let at = (random.below(1 << 16) * 8) as usize;
            let word = *random.of(&[0, u64::MAX, random.0, 1, 1 << 40]);
            damaged[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        let store = memory(&damaged);
        let _ = check(&*store);
        let Ok(fs) = Pmemfs::mount(Box::new(store.clone()), Path::new("test"), false) else {
            continue;
        };
        let _ = fs.readdir(zus::fs::ROOT, 0, &mut |_| true);
        let _ = create(&fs, "new", Kind::File).map(|file| write(&fs, file, 0, &[1; 9000]));
        for i in 0..20 {
            let path = format!("dir/file{i}");
            let _ = find(&fs, &path).and_then(|file| read(&fs, file, 0, 200_000));
            let _ = fs.unlink(find(&fs, "dir").unwrap_or(0), crate::support::name(&path[4..]));
        }
        let _ = fs.unmount();
    }
}

#[test]
fn an_image_is_listed_read_only_without_being_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(&dir);
    let fs = Pmemfs::open(&path, false).unwrap();
    create(&fs, "file", Kind::File).unwrap();
    drop(fs);
    let before = std::fs::read(&path).unwrap();
    let fs = Pmemfs::open(&path, true).unwrap();
    assert_eq!(list(&fs, zus::fs::ROOT), ["file"]);
    drop(fs);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
