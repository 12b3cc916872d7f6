// SPDX-License-Identifier: MIT
//! Names and attributes, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::super::{
    Attr, DirEntry, Entry, Error, Ino, Kind, Name, NewInode, ROOT, RenameMode, Result, Timestamp,
};

/// All inodes. Whoever holds it shared may look, count references and change the attributes of one inode;
/// names change only where it is held alone.
pub(super) struct Tree {
    inodes: HashMap<Ino, Inode>,
    next: Ino,
}

struct Inode {
    attr: Mutex<Attr>,
    /// Relaxed: who takes the last one away looks again with the tree to itself.
    references: AtomicU64,
    body: Body,
}

enum Body {
    Directory(Directory),
    Symlink(Vec<u8>),
    Other,
}

/// The entries of a directory, by name and in the order in which they came: an entry's cookie is its place
/// in that order, so that entries that come and go do not move others.
pub(super) struct Directory {
    parent: Ino,
    places: HashMap<Vec<u8>, u64>,
    entries: BTreeMap<u64, (Vec<u8>, Ino, Kind)>,
    next: u64,
}

const DOT: u64 = 1;
const DOT_DOT: u64 = 2;

impl Directory {
    fn new(parent: Ino) -> Self {
        Self {
            parent,
            places: HashMap::new(),
            entries: BTreeMap::new(),
            next: DOT_DOT + 1,
        }
    }

    pub(super) fn find(&self, name: Name<'_>) -> Option<Ino> {
        self.places
            .get(name.as_bytes())
            .map(|place| self.entries[place].1)
    }

    fn add(&mut self, name: Name<'_>, ino: Ino, kind: Kind) {
        self.places.insert(name.as_bytes().to_vec(), self.next);
        self.entries
            .insert(self.next, (name.as_bytes().to_vec(), ino, kind));
        self.next += 1;
    }

    fn remove(&mut self, name: Name<'_>) {
        if let Some(place) = self.places.remove(name.as_bytes()) {
            self.entries.remove(&place);
        }
    }

    /// Calls `each` with what is behind `cookie`, this directory being `ino`.
    pub(super) fn list(&self, ino: Ino, cookie: u64, each: &mut dyn FnMut(&DirEntry<'_>) -> bool) {
        let dots = [
            (ino, b".".as_slice(), DOT),
            (self.parent, b"..".as_slice(), DOT_DOT),
        ];
        let dots = dots.map(|(ino, name, cookie)| DirEntry {
            ino,
            kind: Kind::Directory,
            name,
            cookie,
        });
        let entries = self
            .entries
            .range(cookie.saturating_add(1)..)
            .map(|(&cookie, (name, ino, kind))| DirEntry {
                ino: *ino,
                kind: *kind,
                name,
                cookie,
            });
        for entry in dots.into_iter().filter(|dot| dot.cookie > cookie).chain(entries) {
            if !each(&entry) {
                return;
            }
        }
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        let mut tree = Self {
            inodes: HashMap::new(),
            next: ROOT,
        };
        let root = NewInode {
            kind: Kind::Directory,
            perm: 0o755,
            // Whoever serves it can use it, root or not.
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            rdev: 0,
            target: b"",
        };
        tree.insert(&root, ROOT, 2);
        tree
    }

    pub(super) fn len(&self) -> usize {
        self.inodes.len()
    }

    fn insert(&mut self, new: &NewInode<'_>, parent: Ino, nlink: u32) -> Ino {
        let ino = self.next;
        self.next += 1;
        let now = Timestamp::now();
        let attr = Attr {
            ino,
            generation: 1,
            kind: new.kind,
            perm: new.perm,
            nlink,
            uid: new.uid,
            gid: new.gid,
            rdev: new.rdev,
            size: new.target.len() as u64,
            blocks: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
        };
        let body = match new.kind {
            Kind::Directory => Body::Directory(Directory::new(parent)),
            Kind::Symlink => Body::Symlink(new.target.to_vec()),
            _ => Body::Other,
        };
        let inode = Inode {
            attr: Mutex::new(attr),
            references: AtomicU64::new(0),
            body,
        };
        self.inodes.insert(ino, inode);
        ino
    }

    fn inode(&self, ino: Ino) -> Result<&Inode> {
        self.inodes.get(&ino).ok_or(Error::Stale)
    }

    pub(super) fn attr(&self, ino: Ino) -> Result<MutexGuard<'_, Attr>> {
        let inode = self.inode(ino)?;
        Ok(inode.attr.lock().unwrap_or_else(|poison| poison.into_inner()))
    }

    /// The attributes of what must be a regular file.
    pub(super) fn file(&self, ino: Ino) -> Result<MutexGuard<'_, Attr>> {
        let attr = self.attr(ino)?;
        match attr.kind {
            Kind::File => Ok(attr),
            Kind::Directory => Err(Error::IsDirectory),
            _ => Err(Error::Invalid),
        }
    }

    pub(super) fn directory(&self, ino: Ino) -> Result<&Directory> {
        match &self.inode(ino)?.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Error::NotDirectory),
        }
    }

    fn directory_mut(&mut self, ino: Ino) -> Result<&mut Directory> {
        match &mut self.inodes.get_mut(&ino).ok_or(Error::Stale)?.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Error::NotDirectory),
        }
    }

    pub(super) fn target(&self, ino: Ino) -> Result<&[u8]> {
        match &self.inode(ino)?.body {
            Body::Symlink(target) => Ok(target),
            _ => Err(Error::Invalid),
        }
    }

    /// Takes a reference.
    pub(super) fn refer(&self, ino: Ino) -> Result<Entry> {
        let attr = *self.attr(ino)?;
        self.inode(ino)?.references.fetch_add(1, Ordering::Relaxed);
        Ok(Entry { attr })
    }

    /// Gives references back; whether none is left and the inode may be [buried](Self::bury).
    pub(super) fn unrefer(&self, ino: Ino, count: u64) -> bool {
        let Ok(inode) = self.inode(ino) else {
            return false;
        };
        let left = |references: u64| Some(references.saturating_sub(count));
        let before = inode
            .references
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        before.is_ok_and(|before| before <= count)
    }

    /// Drops an inode that nobody refers to and that has no name.
    pub(super) fn bury(&mut self, ino: Ino) {
        let unused = |inode: &mut Inode| {
            let attr = inode.attr.get_mut().unwrap_or_else(|poison| poison.into_inner());
            *inode.references.get_mut() == 0 && attr.nlink == 0
        };
        if self.inodes.get_mut(&ino).is_some_and(unused) {
            self.inodes.remove(&ino);
        }
    }

    /// A directory to which a name can be added: one that has not been removed.
    fn living(&self, directory: Ino) -> Result<&Directory> {
        let found = self.directory(directory)?;
        if self.attr(directory)?.nlink == 0 {
            return Err(Error::NotFound);
        }
        Ok(found)
    }

    /// The names in a directory changed, its subdirectories by `subdirectories`.
    fn touch_directory(&self, ino: Ino, subdirectories: i32) {
        if let Ok(mut attr) = self.attr(ino) {
            attr.nlink = attr.nlink.saturating_add_signed(subdirectories);
            attr.mtime = Timestamp::now();
            attr.ctime = attr.mtime;
        }
    }

    /// The names of an inode changed: by so many.
    fn touch(&self, ino: Ino, names: i32) {
        if let Ok(mut attr) = self.attr(ino) {
            attr.nlink = attr.nlink.saturating_add_signed(names);
            attr.ctime = Timestamp::now();
        }
    }

    pub(super) fn create(&mut self, parent: Ino, name: Name<'_>, new: &NewInode<'_>) -> Result<Ino> {
        if self.living(parent)?.find(name).is_some() {
            return Err(Error::Exists);
        }
        let mut new = *new;
        let above = *self.attr(parent)?;
        let is_directory = new.kind == Kind::Directory;
        if above.perm & 0o2000 != 0 {
            new.gid = above.gid;
            new.perm |= if is_directory { 0o2000 } else { 0 };
        }
        let ino = self.insert(&new, parent, if is_directory { 2 } else { 1 });
        self.directory_mut(parent)?.add(name, ino, new.kind);
        self.touch_directory(parent, is_directory.into());
        Ok(ino)
    }

    pub(super) fn link(&mut self, ino: Ino, parent: Ino, name: Name<'_>) -> Result<()> {
        if self.living(parent)?.find(name).is_some() {
            return Err(Error::Exists);
        }
        let attr = *self.attr(ino)?;
        match attr {
            Attr {
                kind: Kind::Directory,
                ..
            } => return Err(Error::NotOwner),
            Attr { nlink: 0, .. } => return Err(Error::NotFound),
            Attr { nlink: u32::MAX, .. } => return Err(Error::TooManyLinks),
            _ => {}
        }
        self.directory_mut(parent)?.add(name, ino, attr.kind);
        self.touch(ino, 1);
        self.touch_directory(parent, 0);
        Ok(())
    }

    pub(super) fn remove(&mut self, parent: Ino, name: Name<'_>, directory: bool) -> Result<()> {
        let ino = self.directory(parent)?.find(name).ok_or(Error::NotFound)?;
        match (&self.inode(ino)?.body, directory) {
            (Body::Directory(d), true) if !d.entries.is_empty() => return Err(Error::NotEmpty),
            (Body::Directory(_), true) => {}
            (Body::Directory(_), false) => return Err(Error::IsDirectory),
            (_, true) => return Err(Error::NotDirectory),
            (_, false) => {}
        }
        self.directory_mut(parent)?.remove(name);
        self.touch_directory(parent, if directory { -1 } else { 0 });
        self.unname(ino, directory);
        Ok(())
    }

    /// A name of `ino` has gone; that of a directory stood for all of its links.
    fn unname(&mut self, ino: Ino, directory: bool) {
        self.touch(ino, if directory { i32::MIN } else { -1 });
        self.bury(ino);
    }

    pub(super) fn rename(
        &mut self,
        (parent, name): (Ino, Name<'_>),
        (new_parent, new_name): (Ino, Name<'_>),
        mode: RenameMode,
    ) -> Result<()> {
        let moved = self.directory(parent)?.find(name).ok_or(Error::NotFound)?;
        let target = self.living(new_parent)?.find(new_name);
        let kind = self.attr(moved)?.kind;
        let is_directory = kind == Kind::Directory;
        if is_directory && self.is_above(moved, new_parent) {
            return Err(Error::Invalid);
        }
        match (target, mode) {
            (Some(_), RenameMode::NoReplace) => return Err(Error::Exists),
            (None, RenameMode::Exchange) => return Err(Error::NotFound),
            (Some(target), _) if target == moved => return Ok(()),
            (Some(target), RenameMode::Exchange) => {
                let other = self.attr(target)?.kind;
                if other == Kind::Directory && self.is_above(target, parent) {
                    return Err(Error::Invalid);
                }
                self.put((parent, name), (target, other));
                self.put((new_parent, new_name), (moved, kind));
                let (gains, loses) = (i32::from(is_directory), i32::from(other == Kind::Directory));
                self.touch_directory(parent, loses - gains);
                self.touch_directory(new_parent, gains - loses);
                self.touch(target, 0);
            }
            (Some(target), _) => {
                match (&self.inode(target)?.body, is_directory) {
                    (Body::Directory(d), true) if !d.entries.is_empty() => return Err(Error::NotEmpty),
                    (Body::Directory(_), false) => return Err(Error::IsDirectory),
                    (Body::Directory(_), true) => {}
                    (_, true) => return Err(Error::NotDirectory),
                    (_, false) => {}
                }
                self.directory_mut(parent)?.remove(name);
                self.put((new_parent, new_name), (moved, kind));
                self.touch_directory(parent, -i32::from(is_directory));
                self.touch_directory(new_parent, 0); // one subdirectory comes, one goes
                self.unname(target, is_directory);
            }
            (None, _) => {
                self.directory_mut(parent)?.remove(name);
                self.put((new_parent, new_name), (moved, kind));
                self.touch_directory(parent, -i32::from(is_directory));
                self.touch_directory(new_parent, is_directory.into());
            }
        }
        self.touch(moved, 0);
        Ok(())
    }

    /// Makes a name mean `ino`, whatever it meant.
    fn put(&mut self, (parent, name): (Ino, Name<'_>), (ino, kind): (Ino, Kind)) {
        if let Ok(directory) = self.directory_mut(parent) {
            directory.remove(name);
            directory.add(name, ino, kind);
        }
        if let Ok(moved) = self.directory_mut(ino) {
            moved.parent = parent;
        }
    }

    /// Whether `directory` is `below` or contains it.
    fn is_above(&self, directory: Ino, below: Ino) -> bool {
        let mut at = below;
        while at != directory {
            match self.directory(at) {
                Ok(found) if found.parent != at => at = found.parent,
                _ => return false,
            }
        }
        true
    }
}
