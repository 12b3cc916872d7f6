// SPDX-License-Identifier: MIT
//! A file system that is so simple that it must be right: what operations should come to.

use std::collections::{BTreeMap, HashSet};

use zus::fs::{Error, FallocateMode, Kind, RenameMode, Result};

use crate::operation::Operation::{self, *};
use crate::support::{Thing, Tree, new_inode, split};

const ROOT: usize = 0;

#[derive(Clone, Debug)]
struct Inode {
    kind: Kind,
    perm: u32,
    owner: (u32, u32),
    nlink: u32,
    contents: Vec<u8>,
    entries: BTreeMap<String, usize>,
}

/// All inodes that there ever were.
#[derive(Clone, Debug)]
pub struct Model(Vec<Inode>);

impl Model {
    pub fn new() -> Self {
        let mut root = inode(Kind::Directory);
        root.owner = (0, 0);
        Self(vec![root])
    }

    /// What is in it, as of a real one.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        let mut first: BTreeMap<usize, String> = BTreeMap::new();
        let mut dirs = vec![(ROOT, String::new())];
        let mut inos = BTreeMap::new();
        while let Some((dir, path)) = dirs.pop() {
            for (name, &ino) in &self.0[dir].entries {
                let path = format!("{path}/{name}");
                let inode = &self.0[ino];
                if inode.kind == Kind::Directory {
                    dirs.push((ino, path.clone()));
                }
                let old = first.get(&ino).cloned().unwrap_or_else(|| path.clone());
                first.insert(ino, old.min(path.clone()));
                inos.insert(path.clone(), ino);
                tree.insert(path, thing(inode));
            }
        }
        for (path, thing) in &mut tree {
            thing.same_as = first[&inos[path]].clone();
        }
        tree
    }

    fn find(&self, path: &str) -> Result<usize> {
        let mut at = ROOT;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if self.0[at].kind != Kind::Directory {
                return Err(Error::NotDirectory);
            }
            at = *self.0[at].entries.get(part).ok_or(Error::NotFound)?;
        }
        Ok(at)
    }

    fn dir(&self, path: &str) -> Result<usize> {
        let dir = self.find(path)?;
        match self.0[dir].kind {
            Kind::Directory => Ok(dir),
            _ => Err(Error::NotDirectory),
        }
    }

    fn file(&mut self, path: &str) -> Result<&mut Vec<u8>> {
        let ino = self.find(path)?;
        match self.0[ino].kind {
            Kind::File => Ok(&mut self.0[ino].contents),
            Kind::Directory => Err(Error::IsDirectory),
            _ => Err(Error::Invalid),
        }
    }

    pub fn run(&mut self, operation: &Operation) -> Result<()> {
        match operation {
            Create(path, kind) => {
                let (dir, name) = (self.dir(split(path).0)?, split(path).1);
                if self.0[dir].entries.contains_key(name) {
                    return Err(Error::Exists);
                }
                let mut new = inode(*kind);
                if self.0[dir].perm & 0o2000 != 0 {
                    new.owner.1 = self.0[dir].owner.1;
                    new.perm |= if *kind == Kind::Directory { 0o2000 } else { 0 };
                }
                self.0.push(new);
                self.add(dir, name, self.0.len() - 1);
                Ok(())
            }
            Link(from, to) => {
                let ino = self.find(from)?;
                let dir = self.find(split(to).0)?;
                if self.0[ino].kind == Kind::Directory {
                    return Err(Error::NotOwner);
                }
                if self.0[dir].kind != Kind::Directory {
                    return Err(Error::NotDirectory);
                }
                if self.0[dir].entries.contains_key(split(to).1) {
                    return Err(Error::Exists);
                }
                self.0[ino].nlink += 1;
                self.add(dir, split(to).1, ino);
                Ok(())
            }
            Unlink(path) => {
                let (dir, name) = (self.dir(split(path).0)?, split(path).1);
                let ino = *self.0[dir].entries.get(name).ok_or(Error::NotFound)?;
                if self.0[ino].kind == Kind::Directory {
                    return Err(Error::IsDirectory);
                }
                self.0[ino].nlink -= 1;
                self.remove(dir, name);
                Ok(())
            }
            Rmdir(path) => {
                let (dir, name) = (self.dir(split(path).0)?, split(path).1);
                let ino = *self.0[dir].entries.get(name).ok_or(Error::NotFound)?;
                if self.0[ino].kind != Kind::Directory {
                    return Err(Error::NotDirectory);
                }
                if !self.0[ino].entries.is_empty() {
                    return Err(Error::NotEmpty);
                }
                self.remove(dir, name);
                Ok(())
            }
            Rename(from, to, mode) => self.rename(from, to, *mode),
            Write(path, offset, bytes) => {
                let contents = self.file(path)?;
                let end = *offset as usize + bytes.len();
                contents.resize(contents.len().max(end), 0);
                contents[*offset as usize..end].copy_from_slice(bytes);
                Ok(())
            }
            Resize(path, size) => {
                self.file(path)?.resize(*size as usize, 0);
                Ok(())
            }
            Allocate(path, offset, len, mode) => {
                let contents = self.file(path)?;
                let end = (offset + len) as usize;
                let (keep_size, zero) = match *mode {
                    FallocateMode::PunchHole => (true, true),
                    FallocateMode::Zero { keep_size } => (keep_size, true),
                    FallocateMode::Reserve { keep_size } => (keep_size, false),
                };
                if !keep_size {
                    contents.resize(contents.len().max(end), 0);
                }
                if zero {
                    let end = end.min(contents.len());
                    let start = (*offset as usize).min(end);
                    contents[start..end].fill(0);
                }
                Ok(())
            }
            Own(path, uid, perm) => {
                let ino = self.find(path)?;
                self.0[ino].owner.0 = *uid;
                self.0[ino].perm = *perm;
                Ok(())
            }
        }
    }

    fn add(&mut self, dir: usize, name: &str, ino: usize) {
        self.0[dir].entries.insert(name.into(), ino);
        if self.0[ino].kind == Kind::Directory {
            self.0[dir].nlink += 1;
        }
    }

    fn remove(&mut self, dir: usize, name: &str) -> usize {
        let ino = self.0[dir].entries.remove(name).unwrap();
        if self.0[ino].kind == Kind::Directory {
            self.0[dir].nlink -= 1;
        }
        ino
    }

    /// `top` and all below it.
    fn below(&self, top: usize) -> HashSet<usize> {
        let mut below = HashSet::from([top]);
        for &ino in self.0[top].entries.values() {
            below.extend(self.below(ino));
        }
        below
    }

    fn rename(&mut self, from: &str, to: &str, mode: RenameMode) -> Result<()> {
        let (from_dir, to_dir) = (self.find(split(from).0)?, self.find(split(to).0)?);
        for dir in [from_dir, to_dir] {
            if self.0[dir].kind != Kind::Directory {
                return Err(Error::NotDirectory);
            }
        }
        let (from, to) = (split(from).1, split(to).1);
        let source = *self.0[from_dir].entries.get(from).ok_or(Error::NotFound)?;
        let target = self.0[to_dir].entries.get(to).copied();
        match (mode, target) {
            (RenameMode::NoReplace, Some(_)) => return Err(Error::Exists),
            (RenameMode::Exchange, None) => return Err(Error::NotFound),
            (_, Some(target)) if target == source => return Ok(()),
            _ => {}
        }
        if self.below(source).contains(&to_dir) {
            return Err(Error::Invalid);
        }
        let is_dir = |ino: usize| self.0[ino].kind == Kind::Directory;
        if let Some(target) = target {
            if self.below(target).contains(&from_dir) {
                return Err(if mode == RenameMode::Exchange {
                    Error::Invalid
                } else {
                    Error::NotEmpty
                });
            }
            if mode == RenameMode::Exchange {
                self.remove(from_dir, from);
                self.remove(to_dir, to);
                self.add(from_dir, from, target);
                self.add(to_dir, to, source);
                return Ok(());
            }
            match (is_dir(source), is_dir(target)) {
                (true, false) => return Err(Error::NotDirectory),
                (false, true) => return Err(Error::IsDirectory),
                (true, true) if !self.0[target].entries.is_empty() => return Err(Error::NotEmpty),
                _ => {}
            }
            self.0[target].nlink -= 1;
            self.remove(to_dir, to);
        }
        self.remove(from_dir, from);
        self.add(to_dir, to, source);
        Ok(())
    }
}

fn inode(kind: Kind) -> Inode {
    let new = new_inode(kind);
    Inode {
        kind,
        perm: new.perm,
        owner: (new.uid, new.gid),
        nlink: if kind == Kind::Directory { 2 } else { 1 },
        contents: new.target.to_vec(),
        entries: BTreeMap::new(),
    }
}

fn thing(inode: &Inode) -> Thing {
    Thing {
        kind: inode.kind,
        perm: inode.perm,
        nlink: inode.nlink,
        owner: inode.owner,
        rdev: 0,
        size: inode.contents.len() as u64,
        contents: inode.contents.clone(),
        same_as: String::new(),
    }
}
