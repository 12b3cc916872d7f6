// SPDX-License-Identifier: MIT
//! What all tests need: a file system in memory, paths, and a tree as one value.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use relay::memory::Window;
use zus::fs::pmemfs::{self, MkfsOptions, Pmemfs, Report};
use zus::fs::{Attr, Error, FileSystem, Ino, Kind, Name, NewInode, ROOT, Result};
use zus::store::{Memory, Store};

/// A new file system of `len` bytes in memory.
pub fn make(len: u64) -> Arc<Memory> {
    let store = Arc::new(Memory::new(len).unwrap());
    pmemfs::format(Box::new(store.clone()), &MkfsOptions::default()).unwrap();
    store
}

/// Mounts what is in `store`.
pub fn mount(store: &Arc<Memory>) -> Pmemfs {
    Pmemfs::mount(Box::new(store.clone()), Path::new("test"), false).unwrap()
}

/// Unmounts and checks.
pub fn unmount(fs: Pmemfs, store: &Arc<Memory>) -> Report {
    fs.unmount().unwrap();
    drop(fs);
    sound(store)
}

/// Checks.
pub fn sound(store: &dyn Store) -> Report {
    let report = pmemfs::check(store);
    assert!(report.is_sound(), "{:#?}", report.problems);
    report
}

pub fn name(name: &str) -> Name<'_> {
    Name::new(name.as_bytes()).unwrap()
}

pub fn new_inode(kind: Kind) -> NewInode<'static> {
    NewInode {
        kind,
        perm: 0o644,
        uid: 1000,
        gid: 1000,
        rdev: if kind == Kind::CharDevice { 0x103 } else { 0 },
        target: if kind == Kind::Symlink { b"over/there" } else { b"" },
    }
}

/// Creates `path` and gives the reference back.
pub fn create(fs: &dyn FileSystem, path: &str, kind: Kind) -> Result<Ino> {
    let (dir, last) = split(path);
    let ino = fs.create(find(fs, dir)?, name(last), &new_inode(kind))?.attr.ino;
    fs.forget(ino, 1);
    Ok(ino)
}

/// The directory of a path, and its last name.
pub fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The inode at `path`, without a reference.
pub fn find(fs: &dyn FileSystem, path: &str) -> Result<Ino> {
    let mut ino = ROOT;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let found = fs.lookup(ino, name(part));
        ino = found?.attr.ino;
        fs.forget(ino, 1);
    }
    Ok(ino)
}

pub fn write(fs: &dyn FileSystem, ino: Ino, offset: u64, bytes: &[u8]) -> Result<usize> {
    fs.write(ino, offset, Window::private(&mut bytes.to_vec()), false)
}

pub fn read(fs: &dyn FileSystem, ino: Ino, offset: u64, len: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0xee; len];
    let len = fs.read(ino, offset, Window::private(&mut bytes))?;
    bytes.truncate(len);
    Ok(bytes)
}

/// The names in a directory, without the dots.
pub fn list(fs: &dyn FileSystem, ino: Ino) -> Vec<String> {
    let mut names = Vec::new();
    fs.readdir(ino, 0, &mut |entry| {
        names.push(String::from_utf8(entry.name.to_vec()).unwrap());
        true
    })
    .unwrap();
    assert_eq!(&names[..2], [".", ".."]);
    names.split_off(2)
}

/// What is known of a name without asking when: for comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    pub kind: Kind,
    pub perm: u32,
    pub nlink: u32,
    pub owner: (u32, u32),
    pub rdev: u32,
    pub size: u64,
    /// A file's or a link's contents.
    pub contents: Vec<u8>,
    /// The first path of this inode.
    pub same_as: String,
}

pub type Tree = BTreeMap<String, Thing>;

/// All that is in `fs`.
pub fn tree(fs: &dyn FileSystem) -> Tree {
    let mut tree = Tree::new();
    let mut first = BTreeMap::new();
    let mut dirs = vec![(ROOT, String::new())];
    while let Some((dir, path)) = dirs.pop() {
        let mut names = list(fs, dir);
        names.sort();
        for last in names.iter().rev() {
            let attr = fs.lookup(dir, name(last)).unwrap().attr;
            let path = format!("{path}/{last}");
            if attr.kind == Kind::Directory {
                dirs.push((attr.ino, path.clone()));
            }
            tree.insert(path.clone(), thing(fs, &attr));
            first
                .entry(attr.ino)
                .and_modify(|first: &mut String| *first = path.clone().min(first.clone()))
                .or_insert(path.clone());
            fs.forget(attr.ino, 1);
        }
    }
    for (path, thing) in &mut tree {
        thing.same_as = first[&find(fs, path).unwrap()].clone();
    }
    tree
}

fn thing(fs: &dyn FileSystem, attr: &Attr) -> Thing {
    let contents = match attr.kind {
        Kind::File => read(fs, attr.ino, 0, attr.size as usize).unwrap(),
        Kind::Symlink => fs.readlink(attr.ino).unwrap(),
        _ => Vec::new(),
    };
    Thing {
        kind: attr.kind,
        perm: attr.perm,
        nlink: attr.nlink,
        owner: (attr.uid, attr.gid),
        rdev: attr.rdev,
        size: if attr.kind == Kind::Directory {
            0
        } else {
            attr.size
        },
        contents,
        same_as: String::new(),
    }
}

/// Numbers that look random and are the same each time.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

/// Expects an error.
pub fn refused<T: std::fmt::Debug>(result: Result<T>, error: Error) {
    assert_eq!(result.unwrap_err(), error);
}

/// Where two trees differ, in words; `None` if they do not.
pub fn difference(got: &Tree, wanted: &Tree) -> Option<String> {
    for path in got.keys().chain(wanted.keys()) {
        match (got.get(path), wanted.get(path)) {
            (Some(got), Some(wanted)) if got == wanted => {}
            (Some(got), Some(wanted)) if got.size == wanted.size && got.contents != wanted.contents => {
                let differs = |at: &usize| got.contents[*at] != wanted.contents[*at];
                let at: Vec<usize> = (0..got.contents.len()).filter(differs).collect();
                let (first, last) = (at[0], at[at.len() - 1]);
                let bytes = (got.contents[first], wanted.contents[first]);
                return Some(format!(
                    "{path}: bytes {first}..={last} differ, {bytes:?} at first"
                ));
            }
            (got, wanted) => {
                let brief = |thing: Option<&Thing>| {
                    thing.map(|thing| Thing {
                        contents: Vec::new(),
                        ..thing.clone()
                    })
                };
                return Some(format!("{path}: {:?} instead of {:?}", brief(got), brief(wanted)));
            }
        }
    }
    None
}
