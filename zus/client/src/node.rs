// SPDX-License-Identifier: MIT
//! Inodes that the server has told us of. Each telling is a reference, and is given back.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zerocopy::IntoBytes;
use zus_protocol::{BatchForgetIn, EntryOut, ForgetIn, ForgetOne, Opcode, ROOT_ID};

use crate::link::Link;
use crate::path::{Kind, Tree, os};
use crate::stat::{FileKind, Stat};

/// An inode, kept alive as long as this is.
pub(crate) struct Node {
    pub link: Arc<Link>,
    pub ino: u64,
    kind: FileKind,
    /// As it was when we were told; `None` of the root, of which nobody tells.
    pub stat: Option<Stat>,
}

impl Node {
    /// The root of the mount.
    pub fn root(link: &Arc<Link>) -> Self {
        Self {
            link: Arc::clone(link),
            ino: ROOT_ID,
            kind: FileKind::Directory,
            stat: None,
        }
    }

    /// The inode in an answer.
    pub fn told(link: &Arc<Link>, entry: &EntryOut) -> io::Result<Self> {
        if entry.nodeid == 0 {
            return Err(os(libc::ENOENT));
        }
        let stat = Stat::from(&entry.attr);
        Ok(Self {
            link: Arc::clone(link),
            ino: entry.nodeid,
            kind: stat.kind(),
            stat: Some(stat),
        })
    }

    /// What it is.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// The inode called `name` in this directory.
    pub fn lookup(&self, name: &[u8]) -> io::Result<Node> {
        let entry = self
            .link
            .channel()
            .call(Opcode::Lookup, self.ino, &[name, b"\0"], 0)?
            .body()?;
        Node::told(&self.link, &entry)
    }

    /// What this symbolic link holds.
    pub fn readlink(&self) -> io::Result<Vec<u8>> {
        self.link
            .channel()
            .call(Opcode::Readlink, self.ino, &[], 0)?
            .bytes(crate::path::PATH_MAX)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.ino == ROOT_ID {
            return;
        }
        // That a server which is gone cannot take it back is no harm.
        let _ = match self.kind {
            // Walks come through the same directories again and again, and one that is removed holds
            // little space for as long as we keep it.
            FileKind::Directory => self.link.forgotten.add(self.ino, &self.link),
            // A file's space is free only when its last reference is given back.
            _ => {
                let forget = ForgetIn { nlookup: 1 };
                let mut channel = self.link.channel();
                channel.tell(Opcode::Forget, self.ino, &[forget.as_bytes()])
            }
        };
    }
}

/// References that are given back many at a time.
#[derive(Default)]
pub(crate) struct Forgotten(Mutex<Vec<ForgetOne>>);

impl Forgotten {
    const BATCH: usize = 64;

    fn add(&self, nodeid: u64, link: &Link) -> io::Result<()> {
        let full = {
            let mut list = self.lock();
            match list.iter_mut().find(|one| one.nodeid == nodeid) {
                Some(one) => one.nlookup += 1,
                None => list.push(ForgetOne { nodeid, nlookup: 1 }),
            }
            if list.len() < Self::BATCH {
                return Ok(());
            }
            std::mem::take(&mut *list)
        };
        give_back(&full, link)
    }

    /// Gives all back now: one of them may have become the last reference to something removed.
    pub fn flush(&self, link: &Link) -> io::Result<()> {
        let list = std::mem::take(&mut *self.lock());
        give_back(&list, link)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ForgetOne>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn give_back(list: &[ForgetOne], link: &Link) -> io::Result<()> {
    if list.is_empty() {
        return Ok(());
    }
    let head = BatchForgetIn {
        count: list.len() as u32,
        dummy: 0,
    };
    let parts = [head.as_bytes(), list.as_bytes()];
    link.channel().tell(Opcode::BatchForget, 0, &parts)
}

impl Tree for Arc<Link> {
    type Node = Node;

    fn root(&self) -> Node {
        Node::root(self)
    }

    fn lookup(&self, dir: &Node, name: &[u8]) -> io::Result<Node> {
        dir.lookup(name)
    }

    fn readlink(&self, link: &Node) -> io::Result<Vec<u8>> {
        link.readlink()
    }

    fn kind(&self, node: &Node) -> Kind {
        node.kind().on_path()
    }
}
