// SPDX-License-Identifier: MIT
//! Operations as values: done to a file system, done to a model, made up at random.

use zus::fs::{FallocateMode, FileSystem, Kind, RenameMode, Result, SetAttr};

use crate::support::{Random, create, find, name, split, write};

#[derive(Clone, Debug)]
pub enum Operation {
    Create(String, Kind),
    Link(String, String),
    Unlink(String),
    Rmdir(String),
    Rename(String, String, RenameMode),
    Write(String, u64, Vec<u8>),
    Resize(String, u64),
    Allocate(String, u64, u64, FallocateMode),
    Own(String, u32, u32),
}

use Operation::*;

impl Operation {
    /// Does it to `fs`.
    pub fn run(&self, fs: &dyn FileSystem) -> Result<()> {
        match self {
            Create(path, kind) => create(fs, path, *kind).map(drop),
            Link(from, to) => {
                let (ino, (dir, last)) = (find(fs, from)?, split(to));
                fs.link(ino, find(fs, dir)?, name(last))?;
                fs.forget(ino, 1);
                Ok(())
            }
            Unlink(path) => fs.unlink(find(fs, split(path).0)?, name(split(path).1)),
            Rmdir(path) => fs.rmdir(find(fs, split(path).0)?, name(split(path).1)),
            Rename(from, to, mode) => {
                let (from, to) = (split(from), split(to));
                let dirs = (find(fs, from.0)?, find(fs, to.0)?);
                fs.rename(dirs.0, name(from.1), dirs.1, name(to.1), *mode)
            }
            Write(path, offset, bytes) => write(fs, find(fs, path)?, *offset, bytes).map(drop),
            Resize(path, size) => {
                let changes = SetAttr {
                    size: Some(*size),
                    ..SetAttr::default()
                };
                fs.setattr(find(fs, path)?, &changes).map(drop)
            }
            Allocate(path, offset, len, mode) => fs.fallocate(find(fs, path)?, *offset, *len, *mode),
            Own(path, uid, perm) => {
                let changes = SetAttr {
                    uid: Some(*uid),
                    perm: Some(*perm),
                    ..SetAttr::default()
                };
                fs.setattr(find(fs, path)?, &changes).map(drop)
            }
        }
    }

    /// Whether it may change the contents of a file in place, a byte at a time.
    pub fn is_in_place(&self) -> bool {
        matches!(self, Write(..) | Allocate(..))
    }

    /// Any operation on a small tree.
    pub fn random(random: &mut Random) -> Self {
        use FallocateMode::{PunchHole, Reserve, Zero};
        use RenameMode::{Exchange, NoReplace, Replace};
        let at = |random: &mut Random| match random.below(4) {
            0 => random.below(3_000_000),
            1 => random.below(500) * 4096,
            _ => random.below(20_000),
        };
        let len = |random: &mut Random| match random.below(8) {
            0 => random.below(1_500_000) + 1,
            1 => 4096,
            _ => random.below(9000) + 1,
        };
        match random.below(20) {
            0..=3 => Create(path(random), *random.of(&KINDS)),
            4 => Link(path(random), path(random)),
            5..=6 => Unlink(path(random)),
            7 => Rmdir(path(random)),
            8..=10 => {
                let mode = *random.of(&[Replace, Replace, NoReplace, Exchange]);
                Rename(path(random), path(random), mode)
            }
            11..=14 => {
                let bytes = vec![random.below(255) as u8 + 1; len(random) as usize];
                Write(path(random), at(random), bytes)
            }
            15..=16 => Resize(path(random), at(random)),
            17..=18 => {
                let keep_size = random.below(2) == 0;
                let mode = *random.of(&[PunchHole, Reserve { keep_size }, Zero { keep_size }]);
                Allocate(path(random), at(random), len(random), mode)
            }
            _ => Own(path(random), random.below(5) as u32, random.below(0o10000) as u32),
        }
    }
}

const KINDS: [Kind; 6] = [
    Kind::File,
    Kind::File,
    Kind::Directory,
    Kind::Directory,
    Kind::Symlink,
    Kind::Fifo,
];

/// One of some 150 paths, so that operations meet.
fn path(random: &mut Random) -> String {
    let long = "long".repeat(50);
    let names = ["a", "b", "c", "file", long.as_str()];
    let mut path = String::new();
    for depth in 0..=random.below(3) {
        if depth > 0 {
            path.push('/');
        }
        path.push_str(random.of::<&str>(&names));
    }
    path
}
