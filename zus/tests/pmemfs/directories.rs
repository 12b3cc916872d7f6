// SPDX-License-Identifier: MIT
//! Large directories, and directories that change while they are read.

use std::collections::BTreeSet;

use zus::fs::{FileSystem, Ino, Kind, ROOT};

use crate::support::{Random, create, list, make, mount, name, unmount};

#[test]
fn many_entries_come_and_go() {
    const MANY: usize = 10_000;
    let store = make(64 << 20);
    let fs = mount(&store);
    create(&fs, "dir", Kind::Directory).unwrap();
    let path = |i: usize| format!("dir/a file with the number {i}");
    for i in 0..MANY {
        create(&fs, &path(i), Kind::File).unwrap();
    }
    let dir = crate::support::find(&fs, "dir").unwrap();
    let size = fs.getattr(dir).unwrap().size;
    assert_eq!(list(&fs, dir).len(), MANY);
    for i in (0..MANY).filter(|i| i % 3 != 0) {
        fs.unlink(dir, name(&path(i)[4..])).unwrap();
    }
    unmount(fs, &store);
    let fs = mount(&store);
    let left: BTreeSet<_> = list(&fs, dir).into_iter().collect();
    let wanted: BTreeSet<_> = (0..MANY).step_by(3).map(|i| path(i)[4..].to_string()).collect();
    assert_eq!(left, wanted);
    // Their room is used again.
    for i in (0..MANY).filter(|i| i % 3 != 0) {
        create(&fs, &path(i), Kind::File).unwrap();
    }
    assert_eq!(fs.getattr(dir).unwrap().size, size);
    for i in 0..MANY {
        fs.unlink(dir, name(&path(i)[4..])).unwrap();
    }
    fs.rmdir(ROOT, name("dir")).unwrap();
    unmount(fs, &store);
}

/// Reads `dir` in parts of `part` entries, with `between` after each.
fn read_in_parts(
    fs: &dyn FileSystem,
    dir: Ino,
    part: usize,
    mut between: impl FnMut(&[String]),
) -> Vec<String> {
    let (mut seen, mut cookie) = (Vec::new(), 0);
    loop {
        let before = seen.len();
        fs.readdir(dir, cookie, &mut |entry| {
            if seen.len() == before + part {
                return false;
            }
            seen.push(String::from_utf8(entry.name.to_vec()).unwrap());
            cookie = entry.cookie;
            true
        })
        .unwrap();
        if seen.len() == before {
            return seen;
        }
        between(&seen);
    }
}

#[test]
fn what_stays_is_seen_once_while_others_come_and_go() {
    let store = make(16 << 20);
    let fs = mount(&store);
    for seed in 0..5 {
        let mut random = Random(seed);
        let dir = create(&fs, &format!("dir{seed}"), Kind::Directory).unwrap();
        let path = |name: &str| format!("dir{seed}/{name}");
        for i in 0..500 {
            create(&fs, &path(&format!("stays{i}")), Kind::File).unwrap();
            create(&fs, &path(&format!("goes{i}")), Kind::File).unwrap();
        }
        let mut fresh = 0;
        let seen = read_in_parts(&fs, dir, 5 + seed as usize * 7, |_| {
            let _ = fs.unlink(dir, name(&format!("goes{}", random.below(500))));
            fresh += 1;
            let long = "x".repeat(random.below(200) as usize);
            create(&fs, &path(&format!("fresh{fresh}{long}")), Kind::File).unwrap();
        });
        for i in 0..500 {
            let name = format!("stays{i}");
            assert_eq!(
                seen.iter().filter(|seen| **seen == name).count(),
                1,
                "{name}, seed {seed}"
            );
        }
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "nothing is seen twice");
    }
    unmount(fs, &store);
}

#[test]
fn a_listing_may_ask_about_what_it_lists() {
    let store = make(1 << 20);
    let fs = mount(&store);
    create(&fs, "file", Kind::File).unwrap();
    let mut asked = 0;
    fs.readdir(ROOT, 0, &mut |entry| {
        fs.getattr(entry.ino).unwrap();
        if entry.name == b"file" {
            create(&fs, "another", Kind::File).unwrap();
            fs.lookup(ROOT, name("file")).unwrap();
            fs.forget(entry.ino, 1);
        }
        asked += 1;
        true
    })
    .unwrap();
    assert_eq!(asked, 3);
    unmount(fs, &store);
}
