// SPDX-License-Identifier: MIT
//! The inode table: a file whose own inode stands in the state block. It grows by chunks, each of which
//! starts with two bitmaps: which of its inodes are in use, and which of those are *orphans*, that the next
//! mount has to finish: those without a name, and those whose blocks behind the end are not all freed.

use std::sync::{Arc, PoisonError, RwLock};

use super::super::format::{
    BLOCK, BLOCK_INODES, CHUNK_BLOCKS, CHUNK_INODES, Geometry, INODE_LEN, Inode, Pointer, RECORD_LEN,
    TABLE_INODE_AT,
};
use super::bits::Bits;
use super::tree::{self, Plain, Words};
use super::tx::Tx;
use super::{Medium, slot};
use crate::fs::{Error, Ino, Kind, Result};
use crate::store::Store;

/// CPUs that have a chunk of their own at most.
const SLOTS: usize = 64;
/// Inodes in use that make a chunk too full to be shared with another CPU, unless there are no blocks for more.
const CROWD: u32 = 2048;

/// The inode table.
#[derive(Debug)]
pub struct Table(RwLock<Inner>);

#[derive(Debug)]
struct Inner {
    inode: Inode,
    chunks: Vec<Arc<Chunk>>,
}

/// 32,768 inodes.
#[derive(Debug)]
pub struct Chunk {
    /// Number of its first inode.
    first: Ino,
    /// Which inodes are in use.
    pub bits: Bits,
    /// Where the bitmap of orphans is, in bytes.
    pub orphans: u64,
}

impl Chunk {
    /// Its orphans.
    pub fn orphans(&self, store: &dyn Store) -> Vec<Ino> {
        (0..CHUNK_INODES)
            .step_by(64)
            .map(|bit| (bit, store.load(self.orphans + bit / 8)))
            .flat_map(|(bit, word)| (0..64).filter(move |i| word >> i & 1 != 0).map(move |i| bit + i))
            .map(|bit| self.first + bit)
            .collect()
    }

    /// How many of its inodes are in use or about to be.
    fn used(&self) -> u32 {
        self.bits.count() - self.bits.free()
    }

    /// Number of its first inode.
    pub fn first(&self) -> Ino {
        self.first
    }
}

/// The table's inode before there is any chunk.
pub fn first_inode() -> Inode {
    Inode {
        kind: Some(Kind::File),
        nlink: 1,
        ..Inode::free(0, 1)
    }
}

/// The block of the table with the inode `ino`, and where in that it stands.
fn place(ino: Ino) -> (u64, u64) {
    let (chunk, index) = (ino / CHUNK_INODES, ino % CHUNK_INODES);
    let block = chunk * CHUNK_BLOCKS + 2 + index / BLOCK_INODES;
    (block, index % BLOCK_INODES * INODE_LEN as u64)
}

impl Table {
    /// The table on the medium.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it makes no sense.
    pub fn open(store: &dyn Store, geometry: &Geometry) -> Result<Self> {
        let mut record = [0; RECORD_LEN];
        store.read(TABLE_INODE_AT, &mut record);
        let inode = Inode::read(0, &record)?;
        let from = Plain(store, geometry);
        let chunks = (0..inode.size / (CHUNK_BLOCKS * BLOCK))
            .map(|number| {
                let at = |index| -> Result<u64> {
                    let pointer = tree::get(&from, &inode, number * CHUNK_BLOCKS + index)?;
                    Ok(pointer.ok_or(Error::Io)?.block * BLOCK)
                };
                let (bitmap, orphans) = (at(0)?, at(1)?);
                let free = Bits::count_free(store, bitmap, CHUNK_INODES as u32);
                Ok(Arc::new(Chunk {
                    first: number * CHUNK_INODES,
                    bits: Bits::new(bitmap, CHUNK_INODES as u32, free),
                    orphans,
                }))
            })
            .collect::<Result<_>>()?;
        Ok(Self(RwLock::new(Inner { inode, chunks })))
    }

    /// All chunks.
    pub fn chunks(&self) -> Vec<Arc<Chunk>> {
        self.read(|inner| inner.chunks.clone())
    }

    /// Its own inode.
    pub fn inode(&self) -> Inode {
        self.read(|inner| inner.inode.clone())
    }

    /// Inodes in use.
    pub fn used(&self) -> u64 {
        self.read(|inner| {
            let used = |chunk: &Arc<Chunk>| u64::from(chunk.used());
            inner.chunks.iter().map(used).sum()
        })
    }

    /// The chunk of `ino` and its bit there.
    pub fn chunk(&self, ino: Ino) -> Option<(Arc<Chunk>, u32)> {
        let number = usize::try_from(ino / CHUNK_INODES).ok()?;
        let chunk = self.read(|inner| inner.chunks.get(number).cloned())?;
        Some((chunk, (ino % CHUNK_INODES) as u32))
    }

    /// Where the inode `ino` stands on the medium, in bytes; `None` if there is no block for it yet.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if there cannot be such an inode, [`Error::Io`] if the table is damaged.
    pub fn position(&self, from: &impl Words, ino: Ino) -> Result<Option<u64>> {
        self.read(|inner| {
            if ino == 0 || ino / CHUNK_INODES >= inner.chunks.len() as u64 {
                return Err(Error::Stale);
            }
            let (block, at) = place(ino);
            let pointer = tree::get(from, &inner.inode, block)?;
            Ok(pointer.map(|pointer| pointer.block * BLOCK + at))
        })
    }

    /// Takes a free inode, which `tx` puts in use: its number, and where it stands.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`].
    pub fn take(&self, tx: &mut Tx<'_>) -> Result<(Ino, u64)> {
        let medium = tx.medium;
        let slots = medium.geometry.group_count().min(SLOTS as u64) as usize;
        let mine = slot(slots);
        loop {
            let (count, crowded) = self.read(|inner| {
                let chunk = inner.chunks.get(mine % inner.chunks.len().max(1));
                (inner.chunks.len(), chunk.is_none_or(|chunk| chunk.used() > CROWD))
            });
            if mine >= count && crowded && self.add_chunk(medium, count).is_ok() {
                continue;
            }
            let taken = self.read(|inner| {
                let (before, after) = inner.chunks.split_at(mine % count.max(1));
                after.iter().chain(before).find_map(|chunk| {
                    let bits = chunk.bits.take(&*medium.store, None, 1)?;
                    Some((chunk.clone(), bits.start))
                })
            });
            if let Some((chunk, bit)) = taken {
                let ino = chunk.first + u64::from(bit);
                tx.use_inode(chunk, bit)?;
                return Ok((ino, self.provide(medium, ino)?));
            }
            self.add_chunk(medium, count)?;
        }
    }

    /// Where `ino` stands, for which a block is made if there is none.
    fn provide(&self, medium: &Medium, ino: Ino) -> Result<u64> {
        if let Some(at) = self.position(medium, ino)? {
            return Ok(at);
        }
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (block, at) = place(ino);
        let mut inode = inner.inode.clone();
        let found = match tree::get(medium, &inode, block)? {
            Some(pointer) => pointer.block,
            None => {
                let mut tx = Tx::new(medium)?;
                let new = add_block(&mut tx, &mut inode, block)?;
                tx.inode(TABLE_INODE_AT, &mut inode)?;
                tx.commit()?;
                inner.inode = inode;
                new
            }
        };
        Ok(found * BLOCK + at)
    }

    /// Adds chunk `number`, unless somebody just did.
    fn add_chunk(&self, medium: &Medium, number: usize) -> Result<()> {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if inner.chunks.len() != number {
            return Ok(());
        }
        let mut inode = inner.inode.clone();
        let mut tx = Tx::new(medium)?;
        let start = number as u64 * CHUNK_BLOCKS;
        let bitmap = add_block(&mut tx, &mut inode, start)?;
        let orphans = add_block(&mut tx, &mut inode, start + 1)?;
        // The number 0 is no inode.
        let free = if number == 0 {
            tx.write_in(bitmap, 0, &1u64.to_le_bytes())?;
            CHUNK_INODES as u32 - 1
        } else {
            CHUNK_INODES as u32
        };
        inode.size = (number as u64 + 1) * CHUNK_BLOCKS * BLOCK;
        tx.inode(TABLE_INODE_AT, &mut inode)?;
        tx.commit()?;
        inner.inode = inode;
        inner.chunks.push(Arc::new(Chunk {
            first: number as u64 * CHUNK_INODES,
            bits: Bits::new(bitmap * BLOCK, CHUNK_INODES as u32, free),
            orphans: orphans * BLOCK,
        }));
        Ok(())
    }

    fn read<T>(&self, read: impl FnOnce(&Inner) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn add_block(tx: &mut Tx<'_>, inode: &mut Inode, index: u64) -> Result<u64> {
    let block = tx.take_zeroed(None)?;
    inode.blocks += 1;
    tree::set(tx, inode, index, Pointer::to(block))?;
    Ok(block)
}
