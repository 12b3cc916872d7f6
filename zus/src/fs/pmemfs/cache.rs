// SPDX-License-Identifier: MIT
//! The inodes in DRAM: those that somebody has a reference to, and some that were used lately.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex};

use super::format::{Inode, RECORD_LEN};
use super::index::Indices;
use super::medium::{Medium, lock};
use super::node::Node;
use crate::fs::{Error, Ino, Result};

const SHARDS: usize = 64;
/// Nodes that a shard keeps before it looks for some to forget.
const SHARD_NODES: usize = 64;
/// Bytes of indices before some are forgotten.
const INDEX_BYTES: usize = 64 << 20;

/// The inodes in DRAM. At most one [`Node`] is in use of each.
#[derive(Debug)]
pub struct Cache {
    shards: Vec<Mutex<Shard>>,
    /// All directories' indices.
    pub indices: Indices,
}

#[derive(Debug)]
struct Shard {
    nodes: HashMap<Ino, Arc<Node>, BuildHasherDefault<InoHasher>>,
    /// How many nodes make it look for some to forget.
    limit: usize,
}

impl Cache {
    /// An empty one.
    pub fn new() -> Self {
        let shard = || {
            Mutex::new(Shard {
                nodes: HashMap::default(),
                limit: SHARD_NODES,
            })
        };
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            indices: Indices::default(),
        }
    }

    fn shard(&self, ino: Ino) -> &Mutex<Shard> {
        &self.shards[ino as usize % SHARDS]
    }

    /// The inode `ino`.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if there is none, [`Error::Io`] if it is damaged.
    pub fn get(&self, medium: &Medium, ino: Ino) -> Result<Arc<Node>> {
        let mut shard = lock(self.shard(ino));
        if let Some(node) = shard.nodes.get(&ino) {
            return Ok(node.clone());
        }
        let (at, inode) = load(medium, ino)?;
        if inode.nlink == 0 {
            return Err(Error::Stale);
        }
        Ok(shard.keep(Arc::new(Node::new(at, inode, 0))))
    }

    /// The inode `ino` if it is in DRAM.
    pub fn known(&self, ino: Ino) -> Option<Arc<Node>> {
        lock(self.shard(ino)).nodes.get(&ino).cloned()
    }

    /// Adds an inode just made, with one reference.
    pub fn add(&self, at: u64, inode: Inode) -> Arc<Node> {
        let mut shard = lock(self.shard(inode.ino));
        let new = Arc::new(Node::new(at, inode, 1));
        match shard.nodes.get(&new.ino) {
            // Somebody guessed the number, and loaded it after the commit.
            Some(node) if node.generation == new.generation => {
                node.retain();
                node.clone()
            }
            _ => shard.keep(new),
        }
    }

    /// Forgets `node`, which is freed.
    pub fn remove(&self, node: &Arc<Node>) {
        let mut shard = lock(self.shard(node.ino));
        // A new inode may have taken the number already.
        if shard
            .nodes
            .get(&node.ino)
            .is_some_and(|found| Arc::ptr_eq(found, node))
        {
            shard.nodes.remove(&node.ino);
        }
    }

    /// All inodes in DRAM, as of now.
    pub fn all(&self) -> Vec<Arc<Node>> {
        let nodes = |shard: &Mutex<Shard>| lock(shard).nodes.values().cloned().collect::<Vec<_>>();
        self.shards.iter().flat_map(nodes).collect()
    }

    /// Forgets indices of directories that nobody uses at the moment, if there are too many.
    pub fn trim_indices(&self) {
        if self.indices.bytes() <= INDEX_BYTES {
            return;
        }
        for shard in &self.shards {
            for node in lock(shard).nodes.values() {
                if let Some(mut state) = node.try_write() {
                    state.index = None;
                }
            }
            if self.indices.bytes() <= INDEX_BYTES / 2 {
                return;
            }
        }
    }
}

impl Shard {
    fn keep(&mut self, node: Arc<Node>) -> Arc<Node> {
        if self.nodes.len() >= self.limit {
            // Under the lock nobody can get hold of a node that only the map holds.
            self.nodes
                .retain(|_, node| node.refs() > 0 || Arc::strong_count(node) > 1);
            self.limit = (self.nodes.len() * 2).max(SHARD_NODES);
        }
        self.nodes.insert(node.ino, node.clone());
        node
    }
}

/// The record of `ino` and where it stands, if it is in use.
///
/// # Errors
///
/// [`Error::Stale`] if it is not, [`Error::Io`] if it is damaged.
pub fn load(medium: &Medium, ino: Ino) -> Result<(u64, Inode)> {
    let at = medium.table.position(medium, ino)?.ok_or(Error::Stale)?;
    let (chunk, bit) = medium.table.chunk(ino).ok_or(Error::Stale)?;
    if !chunk.bits.is_used(&*medium.store, bit) {
        return Err(Error::Stale);
    }
    let mut bytes = [0; RECORD_LEN];
    medium.store.read(at, &mut bytes);
    let inode = Inode::read(ino, &bytes)?;
    if inode.kind.is_none() {
        return Err(Error::Stale);
    }
    Ok((at, inode))
}

/// Spreads inode numbers, which are not chosen by an enemy.
#[derive(Debug, Default)]
struct InoHasher(u64);

impl Hasher for InoHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}
